# SPDX-License-Identifier: Apache-2.0
"""The core of the mirror role with the previous minor of Kueue (0.18) on manager and worker."""
import pytest
from conftest import add_mirrored_namespace, remove_namespace, wait_policy

from jobs import EXIT, RUN, condition, count, ended, finish_all, gone_everywhere, holder, job, path
from kinds import KINDS
from mirrored import check, evictions, stop_queue, wait_workload
from process import ROOT
from test_mirror_kinds import says, submit, subset, swept

pytestmark = pytest.mark.alone("other")
OBJECTS = ROOT / "tests" / "kubernetes" / "objects"


@pytest.fixture(scope="module")
def clusters(request):
    """One more manager and worker, started for this file."""
    bed = request.config.bed
    own = {"kueue": "kueue-0.18", "kinds": ["jobset", "kubeflow", "mpi"], "service_account": "spillway-system/spillway"}
    bed.add_cluster({"name": "manager18", **own, "manifests_late": [str(ROOT / "config/kubernetes/mirror"), str(OBJECTS / "manager-queues.yaml")]})
    bed.add_cluster({"name": "w18", **own, "pods": True, "nodes": [{"name": "cpu", "count": 2, "cpu": "64"}],
                     "manifests_late": [str(ROOT / "config/kubernetes/worker/kueue"), str(OBJECTS / "worker-queues.yaml")]})
    yield
    for name in ("manager18", "w18"):
        bed.remove_cluster(name)


@pytest.fixture
def older(clusters, own, ns):
    g = own("older")
    add_mirrored_namespace(g, ns)
    wait_policy(g, ns)
    yield g
    remove_namespace(g, ns)


def test_jobs_run_and_fail_as_on_the_present_kueue(older, ns):
    older.api.create(job("good", ns, {RUN: "200ms"}, parallelism=2, completions=2))
    older.api.create(job("bad", ns, {RUN: "200ms", EXIT: "3"}, backoffLimit=0))
    assert condition(older.api.wait(path(ns, "good"), lambda o: o and ended(o) and o), "Complete")
    assert condition(older.api.wait(path(ns, "bad"), lambda o: o and ended(o) and o), "Failed")["reason"] == "BackoffLimitExceeded"
    at = wait_workload(older, ns, "good", lambda o: condition(o, "Finished"))
    assert at["status"]["clusterName"] == "w18" and check(at)["state"] == "Ready"
    for name in ("good", "bad"):
        gone_everywhere(older, ns, name)


def test_an_evicted_job_is_dispatched_again(older, ns):
    """One worker: its queue is stopped and opened again, and the job is admitted there a second time."""
    older.api.create(job("again", ns, {RUN: "forever"}))
    older.api.wait(path(ns, "again"), count("ready", 1))
    w = holder(older, ns, "again")
    first = w.api.get(path(ns, "again"))["metadata"]["uid"]
    stop_queue(w.api, "cq")
    wait_workload(older, ns, "again", lambda o: evictions(o) == 1)
    stop_queue(w.api, "cq", "None")
    w.api.wait(path(ns, "again"), lambda o: o and o["metadata"]["uid"] != first and o["status"].get("ready") == 1, what="a second copy runs")
    finish_all(w.api, ns, "again")
    assert condition(older.api.wait(path(ns, "again"), lambda o: o and ended(o) and o), "Complete")
    gone_everywhere(older, ns, "again")


@pytest.mark.parametrize("name", ["JobSet", "PyTorchJob"])
def test_other_kinds_run_as_on_the_present_kueue(older, ns, name):
    k = KINDS[name]
    w = submit(older, k, ns)
    says(w, k, ns, "it", k.running)
    older.api.wait(k.path(ns, "it"), lambda o: subset(k.running, o.get("status")))
    says(w, k, ns, "it", k.done)
    older.api.wait(k.path(ns, "it"), lambda o: subset(k.done, o.get("status")))
    swept(older, k, ns, "it")
