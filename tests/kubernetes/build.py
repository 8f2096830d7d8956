#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""build.py [NAME...]: builds the real servers of the testbed from their Go modules, those that are missing.

Each folder of servers/ pins one module (go.mod, go.sum). The binaries are kept outside the checkout, in
$XDG_CACHE_HOME/spillway/servers (~/.cache if unset) as NAME-VERSION, so a second checkout finds them.
Exits 77 ("cannot run here") when there is no Go that can build them. Needs Python's standard library only.
"""
import fcntl
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
GO_NEEDED = (1, 26)
STAMP = "k8s.io/component-base/version"

# name: folder of servers/, package, rough seconds of a cold build on 2 cores
SERVERS = {
    "etcd": ("etcd", "go.etcd.io/etcd/server/v3", 70),
    "kube-apiserver": ("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", 260),
    "kube-controller-manager": ("kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", 100),
    "kube-scheduler": ("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", 60),
    "kwok": ("kwok", "sigs.k8s.io/kwok/cmd/kwok", 100),
    "kueue": ("kueue", "sigs.k8s.io/kueue/cmd/kueue", 260),
    "kueue-0.18": ("kueue-0.18", "sigs.k8s.io/kueue/cmd/kueue", 180),
}


class CannotBuild(Exception):
    """This machine cannot build the servers; the text says what to do."""


def version(name):
    """What the folder's go.mod pins, without the v."""
    folder, package, _ = SERVERS[name]
    for line in (HERE / "servers" / folder / "go.mod").read_text().splitlines():
        m = re.match(r"(?:require)?\s*(\S+) v(\S+)", line)
        if m and (package + "/").startswith(m[1] + "/") and "=>" not in line:
            return m[2]
    raise AssertionError(f"servers/{folder}/go.mod requires no module of {package}")


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "spillway" / "servers"


def binary(name):
    """Where the server lies, or will. kueue-0.18 is kept as kueue-VERSION: the version tells them apart."""
    return cache() / f"{re.sub(r'-[0-9.]+$', '', name)}-{version(name)}"


def missing(names=SERVERS):
    return [n for n in names if not os.access(binary(n), os.X_OK)]


def check_go():
    how = f"Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or newer: https://go.dev/dl/ (unpack it to /usr/local/go and put /usr/local/go/bin on PATH)"
    try:
        found = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        raise CannotBuild(f"there is no `go` on PATH. Building real etcd, Kubernetes, Kueue and kwok needs {how}") from None
    m = re.match(r"go(\d+)\.(\d+)", found)
    if m and (int(m[1]), int(m[2])) < GO_NEEDED:
        raise CannotBuild(f"`go` is {found}, too old for the Kubernetes that is built here. It needs {how}")


def ldflags(name):
    if SERVERS[name][0] != "kubernetes":
        return "-s -w"
    # Without the stamp the server calls itself v0.0.0-master and Kueue refuses to start on it.
    v = version(name)
    major, minor = v.split(".")[:2]
    facts = {"gitVersion": "v" + v, "gitMajor": major, "gitMinor": minor, "gitCommit": "none", "gitTreeState": "clean"}
    return "-s -w " + " ".join(f"-X {STAMP}.{k}={x}" for k, x in facts.items())


def build(name, say):
    folder, package, _ = SERVERS[name]
    target = binary(name)
    new = target.with_name(f".{target.name}.{os.getpid()}")
    started = time.monotonic()
    p = subprocess.Popen(["go", "build", "-trimpath", "-ldflags", ldflags(name), "-o", new, package], cwd=HERE / "servers" / folder,
                         env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"})
    try:
        while True:
            try:
                code = p.wait(timeout=30)
                break
            except subprocess.TimeoutExpired:
                say(f"  {target.name} ... {time.monotonic() - started:.0f} s")
        if code != 0:
            raise CannotBuild(f"`go build {package}` in tests/kubernetes/servers/{folder} failed (its output is above). "
                              "It fetches modules through $GOPROXY: check the network, or fill the module cache first with `go mod download` there")
        os.replace(new, target)
    finally:
        p.poll() is None and p.kill()
        new.unlink(missing_ok=True)
    say(f"  {target.name} built in {time.monotonic() - started:.0f} s ({target.stat().st_size >> 20} MB)")


def build_all(names=SERVERS, say=lambda line: print(line, file=sys.stderr, flush=True)):
    """Builds what is missing, one builder at a time on this machine. Raises CannotBuild."""
    if not missing(names):
        return
    check_go()
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another builder of the servers (it holds {cache() / '.lock'}) ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        todo = missing(names)
        if todo:
            minutes = -(-sum(SERVERS[n][2] for n in todo) // 60)
            what = "real Kubernetes" if len(todo) == len(SERVERS) else ", ".join(binary(n).name for n in todo)
            say(f"building {what} once, about {minutes} minutes on 2 cores, into {cache()} ...")
        for n in todo:
            build(n, say)


def module_dir(folder, module):
    """The unpacked source of a module that a server depends on: manifests and CRDs travel in it."""
    env = {**os.environ, "GOFLAGS": "-mod=readonly"}
    where = HERE / "servers" / folder

    def find():
        return subprocess.run(["go", "list", "-m", "-f", "{{.Dir}}", module], cwd=where, env=env, capture_output=True, text=True, check=True).stdout.strip()

    if not find():
        subprocess.run(["go", "mod", "download", module], cwd=where, env=env, check=True)
    return pathlib.Path(find())


def main(argv):
    if "-h" in argv or "--help" in argv:
        print(__doc__)
        return 0
    unknown = [n for n in argv if n not in SERVERS]
    if unknown:
        print(f"build.py: there is no server {unknown[0]}; there are: {' '.join(SERVERS)}", file=sys.stderr)
        return 2
    try:
        build_all(argv or SERVERS)
    except CannotBuild as e:
        print(f"not built: {e}", file=sys.stderr)
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
