# SPDX-License-Identifier: Apache-2.0
"""docs/kueue.md does what it says: its commands are run in order, and print what is shown under them. (Its section Nominate: test_nominate.py.)

A block ```sh is run by bash -e in one directory, where kubeconfigs of an administrator lie; ```sh background is left running until a
block ```sh stops it (the words `stop the gateway`) or the page ends; ```sh elsewhere needs a registry or another machine and is not run. A block
```text is what the block before it printed: each line of it must be there (numbers may differ; ... stands for anything).
"""
import os
import re
import shutil

import pytest

from conftest import no_jobs
from process import BUILD, ROOT, Process, run

pytestmark = [pytest.mark.alone("mirror"), pytest.mark.skipif(not os.environ.get("KUBECTL"), reason="no kubectl")]
BLOCK = re.compile(r"^```(sh|sh background|sh elsewhere|text|yaml|)\n(.*?)^```$", re.M | re.S)
PAGE = ROOT / "docs" / "kueue.md"


def sections():
    """Role -> its blocks, in order."""
    text = PAGE.read_text()
    parts = re.split(r"^## (.*)$", text, flags=re.M)
    return {name.strip(): BLOCK.findall(body) for name, body in zip(parts[1::2], parts[2::2])}


def shape(line):
    """A line without what differs from run to run."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.:/_-]*(ms|s|m|h|d)?\b", "#", line)).strip()


def shown(expected, printed):
    """Lines of `expected` that `printed` lacks."""
    got = [shape(x) for x in printed.splitlines()]

    def there(line):
        pattern = ".*".join(re.escape(p.strip()) for p in shape(line).split("..."))
        return any(re.fullmatch(pattern, g) for g in got)

    return [x for x in expected.splitlines() if x.strip() and not there(x)]


@pytest.fixture
def multikueue(bed):
    """What a site with MultiKueue has: a MultiKueueCluster, the Secret that it names, and a MultiKueueConfig that names it."""
    m = bed["manager"].api
    m.apply([
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "w2", "namespace": "kueue-system"}, "stringData": {"kubeconfig": bed["w2"].account.read_text()}},
        {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "MultiKueueCluster", "metadata": {"name": "w2"}, "spec": {"clusterSource": {"kubeConfig": {"location": "w2", "locationType": "Secret"}}}},
        {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "MultiKueueConfig", "metadata": {"name": "w2"}, "spec": {"clusters": ["w2"]}},
    ])
    yield
    m.delete("/apis/kueue.x-k8s.io/v1beta2/multikueueconfigs/w2")
    m.delete("/apis/kueue.x-k8s.io/v1beta2/multikueueclusters/w2")
    m.delete("/api/v1/namespaces/kueue-system/secrets/w2")


@pytest.fixture
def desk(bed, multikueue, tools, tmp_path, request):
    """A directory with an administrator's kubeconfigs."""
    request.config.shared.stop()
    no_jobs(bed["manager"].api)
    for name in ("manager", "w1", "w2"):
        shutil.copy(bed[name].kubeconfig, tmp_path / f"{name}.kubeconfig")
        if name != "manager":
            bed[name].api.delete("/api/v1/namespaces/spillway-system/configmaps/spillway-claim")
    return tools


@pytest.fixture
def tools(tmp_path):
    """A directory with the shipped configuration, and commands on PATH."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "kubectl").symlink_to(os.environ["KUBECTL"])
    (tools / "spillway").symlink_to((BUILD / "spillway").resolve())
    return tmp_path


def environment(desk):
    return {"PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "KUBECONFIG": str(desk / "none"), "HOME": str(desk)}


def walk(desk, blocks):
    running, printed, wrong = [], "", []
    env = environment(desk)
    try:
        for kind, text in blocks:
            if kind == "sh background":
                running.append(Process(desk / f"background-{len(running)}.log", ["bash", "-c", f"cd {desk} && exec {text.strip()}"], env))
                running[-1].wait_for("nominations are written" if "nominate" in (desk / "spillway.yaml").read_text() else "serving")
            elif kind == "sh":
                done = run("bash", "-ec", f"cd {desk}\n{text}", check=False, env=env, timeout=180)
                printed = done.stdout + done.stderr
                logs = "".join(p.text()[-3000:] for p in running)
                assert done.returncode == 0, f"{text}\n{printed}\n{logs}"
            elif kind == "text":
                wrong += [f"not printed: {x}\n  but:\n{printed}" for x in shown(text, printed)]
    finally:
        for p in running:
            p.stop()
    assert not wrong, "\n".join(wrong)


def test_every_block_is_of_a_kind_that_is_checked():
    fences = [line for line in PAGE.read_text().splitlines() if line.startswith("```") and line != "```"]
    known = {"```sh", "```sh background", "```sh elsewhere", "```text", "```yaml"}
    assert set(fences) <= known, set(fences) - known
    assert sum(len(b) for b in sections().values()) == len(fences)


@pytest.mark.parametrize("role", [s for s in sections() if s != "Nominate" and any(k == "sh" for k, _ in sections()[s])])
def test_the_page_leads_to_a_finished_job(desk, bed, role):
    clean(bed)
    walk(desk, sections()[role])
    clean(bed)


def clean(bed):
    """What the page makes in the namespace default and for the whole cluster."""
    kueue = "/apis/kueue.x-k8s.io/v1beta2"
    for cluster in (bed["manager"], bed["w1"], bed["w2"]):
        for job in cluster.api.get("/apis/batch/v1/namespaces/default/jobs?labelSelector=kueue.x-k8s.io/queue-name=spillway")["items"]:
            path = cluster.api.path({**job, "apiVersion": "batch/v1", "kind": "Job"})
            cluster.api.delete(path)
            cluster.api.wait(path, lambda o: o is None)
        for path in (f"{kueue}/namespaces/default/localqueues/spillway", f"{kueue}/clusterqueues/spillway", f"{kueue}/resourceflavors/anywhere", f"{kueue}/resourceflavors/here"):
            cluster.api.delete(path)
            cluster.api.wait(path, lambda o: o is None)
