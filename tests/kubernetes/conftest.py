# SPDX-License-Identifier: Apache-2.0
"""The stage's clusters (site.yaml), started once by `run`; gateways among them; a namespace per test.

Tests share two gateways. Those marked `alone` stop servers or start gateways of their own: they run when the others are through, one after
the other on the same clusters. SPILLWAY_TESTBED names the directory of a testbed that runs: `run` sets it, or a person who did
`up --spec tests/kubernetes/site.yaml --dir DIR` and wants to call pytest again and again.
"""
import os
import pathlib
import re
import sys
import time
import uuid

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

from gateway import Gateway, Shared  # noqa: E402
from jobs import job  # noqa: E402
from kinds import JAXJOB, KINDS  # noqa: E402
from mirrored import KUEUE, queue  # noqa: E402
from process import eventually  # noqa: E402
from testbed.api import ApiError  # noqa: E402
from testbed.control import Remote  # noqa: E402


DISPATCH = {"spillway.dev/dispatch": "true"}


def pytest_configure(config):
    config.addinivalue_line("markers", "alone(clusters): stops servers or starts a gateway of its own; nothing else runs meanwhile on these clusters"
                            " (mirror: manager, w1, w2; plain: p1, p2; other: those that the test starts)")
    config.addinivalue_line("markers", "nightly: long, and the same is shown by fewer of it; run by NIGHTLY=1 tests/kubernetes/run")
    where = os.environ.get("SPILLWAY_TESTBED")
    if not where:
        pytest.exit("the clusters do not run: use tests/kubernetes/run, or set SPILLWAY_TESTBED (tests/kubernetes/README.md)", 4)
    config.bed = Remote(where)
    worker = hasattr(config, "workerinput")
    config.shared = Shared(config.bed, not worker)
    if not worker and config.getoption("numprocesses", 0) and not config.getoption("markexpr").startswith("alone"):
        try:
            for kind in ("embedded", "mirror"):
                config.shared.get(kind)
        except AssertionError as e:
            config.shared.stop()
            pytest.exit(f"a gateway did not start: {e}", 3)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        alone = item.get_closest_marker("alone")
        if alone:
            item.add_marker(pytest.mark.xdist_group(*(alone.args or ("mirror",))))


def pytest_unconfigure(config):
    if hasattr(config, "shared"):
        config.shared.stop()


@pytest.fixture(scope="session")
def bed(request):
    return request.config.bed


@pytest.fixture
def ns(request):
    """A name for a namespace of the test's own."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    return f"{words[:40].strip('-')}-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def embedded(request, ns):
    """The shared gateway with the embedded manager over the plain workers; the test's namespace is made in it."""
    g = request.config.shared.get("embedded")
    add_namespace(g.api, ns, "team")
    return g


@pytest.fixture
def mirror(request, ns):
    """The shared gateway in mirror role over the workers with Kueue; the test's namespace and queue are on all of them."""
    g = request.config.shared.get("mirror")
    add_mirrored_namespace(g, ns)
    wait_policy(g, ns)
    yield g
    remove_namespace(g, ns)


@pytest.fixture
def queues(mirror, ns):
    """queues(cpu=..., workers={name: cpu}, checks=[...], **spec): ClusterQueues of the test's own, named like its namespace, on the manager
    and on each worker; gone after the test."""
    def make(cpu=100, workers=None, checks=("spillway",), **spec):
        for api, n, more in ((mirror.api, cpu, checks), *((w.api, (workers or {}).get(w.name, 100), ()) for w in mirror.workers)):
            queue(api, ns, {"cpu": n}, more, **spec)
            lead_to_own(mirror, api, ns)
        wait_policy(mirror, ns)

    yield make
    remove_own_queues(mirror, ns)


@pytest.fixture
def own(request, tmp_path):
    """own(kind, **settings): a gateway of the test's own, started. What the test did to servers is undone."""
    made = []
    request.config.shared.stop()

    def start(kind, binary="spillway", wait=True, **settings):
        g = Gateway(kind, tmp_path / kind, request.config.bed)
        made.append(g)
        return g.make(**settings).start(binary, wait)

    yield start
    for g in made:
        g.stop()
    for g in made:
        g.heal()


@pytest.fixture
def lines(bed, tmp_path):
    """A proxy before each server of the mirror role; the gateway is started with lines.settings()."""
    from line import SERVERS, Lines

    made = Lines(bed, SERVERS, tmp_path)
    yield made
    made.close()


def add_namespace(api, name, cluster_queue, labels=None, queue="lq"):
    """A namespace with a LocalQueue."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": queue, "namespace": name, "labels": labels or {}},
               "spec": {"clusterQueue": cluster_queue}})


def lead_to_own(g, api, ns):
    """The LocalQueue of the namespace leads to the ClusterQueue of the same name from now on."""
    api.delete(f"/apis/{KUEUE}/namespaces/{ns}/localqueues/lq")
    api.wait(f"/apis/{KUEUE}/namespaces/{ns}/localqueues/lq", lambda o: o is None)
    add_namespace(api, ns, ns, DISPATCH if api is g.api else None)


def remove_own_queues(g, ns):
    for api in (g.api, *(w.api for w in g.workers)):
        api.delete(f"/apis/{KUEUE}/clusterqueues/{ns}")


def wait_policy(g, ns, queue="lq"):
    """The API server's admission policy sees a new LocalQueue a moment after it is made (its parameters are watched); jobs submitted
    before are not marked, and spillway rejects them. So users make queues before jobs, and so do tests."""
    tries = (job("try", ns, queue=queue), ("spec", "managedBy")), (KINDS["PyTorchJob"].make("try", ns, queue), ("spec", "runPolicy", "managedBy"))
    def marked(what, where):
        time.sleep(0.1)  # an API server that has just been started has enough to do
        try:
            return KINDS["PyTorchJob"].at(g.api.call("POST", g.api.collection(what) + "?dryRun=All", what), where)
        except ApiError as e:
            if "failed to configure" in str(e):  # the API server has just been started
                return None
            raise

    for what, where in tries:
        eventually(lambda: marked(what, where), "the policy marks jobs of the new queue")


def no_jobs(api):
    """What other tests left goes: for tests that look at a whole cluster."""
    collections = {"/apis/batch/v1/jobs", *(f"/apis/{k.group}/{k.plural}" for k in (*KINDS.values(), JAXJOB))}

    def left():
        found = []
        for c in collections:
            for o in api.get(c)["items"]:
                group, _, plural = c.rpartition("/")
                found.append(f"{group}/namespaces/{o['metadata']['namespace']}/{plural}/{o['metadata']['name']}")
        return found

    for at in left():
        api.delete(at)
    eventually(lambda: not left(), "no job is left")


def remove_namespace(g, ns):
    """Jobs first, as a user would: what spillway leaves on workers is then nobody's but its own fault."""
    for kind in ("batch/v1", "jobs"), ("jobset.x-k8s.io/v1alpha2", "jobsets"), ("kubeflow.org/v1", "pytorchjobs"):
        g.api.call("DELETE", f"/apis/{kind[0]}/namespaces/{ns}/{kind[1]}?propagationPolicy=Background")
    for api in (g.api, *(w.api for w in g.workers)):
        api.delete(f"/api/v1/namespaces/{ns}")


def add_mirrored_namespace(g, ns, cluster_queue="cq"):
    add_namespace(g.api, ns, cluster_queue, DISPATCH)
    for w in g.workers:
        add_namespace(w.api, ns, cluster_queue)
