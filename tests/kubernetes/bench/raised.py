# SPDX-License-Identifier: Apache-2.0
"""Builds Kueue with the client limits of MultiKueue's worker clients raised.

client-go's defaults (5 requests/s, burst 10) hold for the clients that MultiKueue makes of workers' kubeconfigs, and no setting
changes them. A comparison with the shipped binary alone would measure that limiter. A copy of the module with one changed file is
built; the module cache stays as it is.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import build  # noqa: E402

FILE = "pkg/controller/admissionchecks/multikueue/multikueuecluster.go"
BEFORE = """	restConfig, err := config.toRESTConfig()
	if err != nil {
		return nil, err
	}
"""
RAISED = """	restConfig = rest.CopyConfig(restConfig)
	restConfig.QPS, restConfig.Burst = 1000, 1000
"""


def binary():
    return build.binary("kueue").with_name(build.binary("kueue").name + "-raised")


def copy_module(source, to):
    """Without its vendor folder and tests of others' code; writable, as the module cache is not."""
    shutil.copytree(source, to, ignore=shutil.ignore_patterns("vendor", "site", "test", "*_test.go"), copy_function=shutil.copyfile)
    for d, _, _ in os.walk(to):
        os.chmod(d, 0o755)


def make(say):
    """Builds it unless it is there; returns its path."""
    target = binary()
    if target.exists():
        return target
    say(f"building {target.name} once (Kueue with one changed file) ...")
    with tempfile.TemporaryDirectory() as d:
        source, module = pathlib.Path(d, "kueue"), pathlib.Path(d, "module")
        copy_module(build.module_dir("kueue", "sigs.k8s.io/kueue"), source)
        text = (source / FILE).read_text()
        if text.count(BEFORE) != 1:
            raise RuntimeError(f"{FILE}: the place where the worker's client is configured has changed; expected once:\n{BEFORE}")
        (source / FILE).write_text(text.replace(BEFORE, BEFORE + RAISED))
        shutil.copytree(build.HERE / "servers" / "kueue", module)
        subprocess.run(["go", "mod", "edit", f"-replace=sigs.k8s.io/kueue={source}"], cwd=module, check=True)
        new = target.with_name(f".{target.name}.{os.getpid()}")
        subprocess.run(["go", "build", "-trimpath", "-ldflags", build.ldflags("kueue"), "-o", new, build.SERVERS["kueue"][1]], cwd=module, check=True,
                       env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"})
        os.replace(new, target)
    return target
