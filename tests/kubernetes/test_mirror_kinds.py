# SPDX-License-Identifier: Apache-2.0
"""Every kind in mirror role, on real API servers with their CRDs and stock Kueue; operators are played by the test (kinds.py)."""
import pytest

from jobs import absent, condition
from kinds import KINDS, STOPPED, wrapper
from mirrored import check, evictions, state, stop_queue, wait_workload, workloads
from process import eventually
from testbed.api import ApiError

ENDING = [k for k, v in KINDS.items() if v.done]


def copy_on(g, k, ns, name):
    return eventually(lambda: [w for w in g.workers if w.api.find(k.path(ns, name))][:1], "a worker has the copy")[0]


def says(w, k, ns, name, status):
    """The operator on the worker."""
    w.api.patch(k.path(ns, name) + "/status", {"status": status})


def subset(part, whole):
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and subset(v, whole[k]) for k, v in part.items())
    return part == whole


def swept(g, k, ns, name):
    for w in g.workers:
        w.api.wait(k.path(ns, name), absent, what=f"the copy is swept from {w.name}")
        assert eventually(lambda: not workloads(w.api, ns), "and its Workload") is True


def let_run(w, k, ns, name):
    """Kueue compares a job with the Workload that it names before."""
    w.api.wait(k.path(ns, name), lambda o: o and k.at(o, k.suspend) is not True, what="the worker's Kueue lets it run")


def submit(g, k, ns, name="it"):
    made = g.api.create(k.make(name, ns))
    assert k.at(made, k.managed_by) == "kueue.x-k8s.io/multikueue" and k.at(made, k.suspend) is True, "the shipped admission policy marks it"
    wait_workload(g, ns, name, lambda o: condition(o, "Admitted"))
    w = copy_on(g, k, ns, name)
    let_run(w, k, ns, name)
    return w


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_runs_on_a_worker_and_its_status_comes_home(mirror, ns, name):
    k = KINDS[name]
    w = submit(mirror, k, ns)
    copy = w.api.get(k.path(ns, "it"))
    assert not copy["metadata"].get("ownerReferences") and k.at(copy, k.managed_by) != "kueue.x-k8s.io/multikueue"
    says(w, k, ns, "it", k.running)
    mirror.api.wait(k.path(ns, "it"), lambda o: subset(k.running, o.get("status")), what="live status")
    if not k.done:
        mirror.api.delete(k.path(ns, "it"))
    else:
        says(w, k, ns, "it", k.done)
        mirror.api.wait(k.path(ns, "it"), lambda o: subset(k.done, o.get("status")), what="the end comes home")
        wait_workload(mirror, ns, "it", lambda o: condition(o, "Finished"))
    swept(mirror, k, ns, "it")


@pytest.mark.parametrize("name", ["JobSet", "PyTorchJob", "AppWrapper"])
def test_an_evicted_kind_moves_to_the_other_worker(mirror, ns, queues, name):
    """The walls of a move: quota comes back though the job's status is not a batch Job's, the winner is cleared, and it ends once."""
    k = KINDS[name]
    queues()
    first = submit(mirror, k, ns)
    says(first, k, ns, "it", k.running)
    mirror.api.wait(k.path(ns, "it"), lambda o: subset(k.running, o.get("status")))
    stop_queue(first.api, ns)
    first.api.wait(k.path(ns, "it"), lambda o: o is None or k.at(o, k.suspend) is True, what="its Kueue suspends it")
    try:
        says(first, k, ns, "it", STOPPED[name])
    except ApiError as e:
        assert e.code == 404, e  # swept meanwhile
    at = wait_workload(mirror, ns, "it", lambda o: evictions(o) == 1 and condition(o, "Admitted") and o["status"].get("clusterName") not in (None, first.name))
    second = copy_on(mirror, k, ns, "it")
    assert at["status"]["clusterName"] == second.name != first.name
    first.api.wait(k.path(ns, "it"), absent)
    let_run(second, k, ns, "it")
    says(second, k, ns, "it", k.running)
    says(second, k, ns, "it", k.done)
    mirror.api.wait(k.path(ns, "it"), lambda o: subset(k.done, o.get("status")))
    wait_workload(mirror, ns, "it", lambda o: condition(o, "Finished"))
    swept(mirror, k, ns, "it")


@pytest.mark.parametrize("name,other", [("PyTorchJob", "kubeflow.org/training-operator"), ("MPIJob", "kubeflow.org/mpi-operator")])
def test_a_job_managed_by_somebody_else_in_a_queue_that_is_not_ours_is_not_touched(mirror, ns, name, other):
    k = KINDS[name]
    mirror.api.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": "unmarked", "namespace": ns}, "spec": {"clusterQueue": "cq"}})
    wanted = k.make("it", ns, "unmarked")
    wanted["spec"]["runPolicy"]["managedBy"] = other
    made = mirror.api.create(wanted)
    assert k.at(made, k.managed_by) == other
    at = wait_workload(mirror, ns, "it", lambda o: state(o) == "Rejected" or o["spec"].get("active") is False, "its check is Rejected, with the reason")
    assert other in check(at)["message"] or "managedBy" in check(at)["message"], check(at)
    assert not any(workloads(w.api, ns) for w in mirror.workers)
    assert not condition(at, "Admitted")


def test_a_wrapped_job_keeps_what_kueue_does_not_know_of_it(mirror, ns):
    """A Workload made of an AppWrapper has no environment in its containers; the copy has."""
    k = KINDS["AppWrapper"]
    w = submit(mirror, k, ns)
    job, extra = (c["template"] for c in w.api.get(k.path(ns, "it"))["spec"]["components"])
    main = job["spec"]["template"]["spec"]["containers"][0]
    assert main["env"] == [{"name": "KEPT", "value": "yes"}] and main["resources"]["requests"]["cpu"] == "1" and job["spec"]["parallelism"] == 2
    assert extra == wrapper()["components"][1]["template"]
    mirrored = workloads(w.api, ns)
    assert [(s["name"], s["count"]) for m in mirrored for s in m["spec"]["podSets"]] == [("it-0", 2)]
    mirror.api.delete(k.path(ns, "it"))
    swept(mirror, k, ns, "it")
