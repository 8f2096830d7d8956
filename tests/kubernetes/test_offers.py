# SPDX-License-Identifier: Apache-2.0
"""Workers with a real Kueue: the job is offered to all of them, and runs where its own Kueue admits it first."""
import json
import signal

import pytest

from conftest import add_namespace
from gateway import Gateway
from jobs import QUEUE, RUN, absent, condition, count, ended, finish, gone_everywhere, holder, job, path, pods
from process import eventually

pytestmark = pytest.mark.alone("mirror")
EVERYWHERE = "function place(w, candidates, ctx) return { { candidates = candidates, patience = 3600 } } end\n"
KUEUE = "/apis/kueue.x-k8s.io/v1beta2"


@pytest.fixture(scope="module")
def site(request, tmp_path_factory):
    """One gateway for this file; the policy asks everybody at once."""
    request.config.shared.stop()
    where = tmp_path_factory.mktemp("offers")
    (where / "policy.lua").write_text(EVERYWHERE)
    g = Gateway("offers", where / "gateway", request.config.bed).make(policy={"file": str(where / "policy.lua")}).start()
    yield g
    g.stop()


@pytest.fixture
def offers(site, bed, ns):
    """The gateway; the test's namespace is there and on the workers, where its queue has no quota yet."""
    if not site.process:
        site.start()
    add_namespace(site.api, ns, "team")
    for w in site.workers:
        give(w, ns, 0)
        add_namespace(w.api, ns, ns)
        w.api.wait(f"{KUEUE}/namespaces/{ns}/localqueues/lq", lambda o: condition(o, "Active"))
    yield site
    for w in site.workers:
        w.api.delete(f"{KUEUE}/clusterqueues/{ns}")


def give(w, ns, cpu, preempt=False):
    """The test's own ClusterQueue on a worker, with so many CPUs."""
    spec = {"namespaceSelector": {}, "queueingStrategy": "BestEffortFIFO", "resourceGroups": [{"coveredResources": ["cpu", "memory"], "flavors": [
        {"name": "default", "resources": [{"name": "cpu", "nominalQuota": str(cpu)}, {"name": "memory", "nominalQuota": "1Ti"}]}]}]}
    if preempt:
        spec["preemption"] = {"withinClusterQueue": "LowerPriority"}
    w.api.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ClusterQueue", "metadata": {"name": ns}, "spec": spec})


def mirrors(w, ns):
    return w.api.get(f"{KUEUE}/namespaces/{ns}/workloads")["items"]


def mirror(w, ns):
    return eventually(lambda: mirrors(w, ns)[:1], f"{w.name} has a mirror")[0]


def no_mirrors(g, ns):
    for w in g.workers:
        eventually(lambda: not mirrors(w, ns), f"the mirror is gone from {w.name}")


def attempt(obj):
    return int(obj["metadata"]["annotations"]["spillway.dev/attempt"])


def runs_on(g, ns, name, w, at_least=1):
    """Waits until this worker's Kueue runs the job, in this attempt or a later one."""
    return w.api.wait(path(ns, name), lambda o: o and attempt(o) >= at_least and not o["spec"].get("suspend") and o)


def test_the_first_that_admits_runs_it_and_the_others_are_told(offers, ns):
    w1, w2 = offers.workers
    offers.api.create(job("pi", ns, {RUN: "forever"}, parallelism=2, completions=2))
    for w in offers.workers:
        m = mirror(w, ns)
        assert not m["metadata"].get("ownerReferences") and "kueue.x-k8s.io/job-uid" not in m["metadata"]["labels"]
        assert not condition(m, "QuotaReserved")
    give(w2, ns, 10)
    runs_on(offers, ns, "pi", w2)
    eventually(lambda: not mirrors(w1, ns), "the loser's mirror is withdrawn")
    assert not w1.api.find(path(ns, "pi"))
    offers.api.wait(path(ns, "pi"), count("ready", 2))
    finish(w2.api, ns, "pi")
    assert condition(offers.api.wait(path(ns, "pi"), lambda o: ended(o) and o), "Complete")
    gone_everywhere(offers, ns, "pi")
    no_mirrors(offers, ns)


def test_two_requests_bring_a_job_to_its_start(offers, bed, ns):
    w1, w2 = offers.workers
    give(w1, ns, 10)
    eventually(lambda: "active" not in json.loads(offers.cli("clusters", "-o", "json"))[0]["why"], "the queue is seen")
    offers.api.create(job("cheap", ns, {RUN: "100ms"}))
    offers.api.wait(path(ns, "cheap"), ended)
    writes = [(e["verb"], e["objectRef"]["resource"]) for e in w1.audit()
              if e["user"].get("username", "").endswith(":spillway") and e.get("objectRef", {}).get("namespace") == ns and e["verb"] not in ("list", "watch")
              and e["responseStatus"]["code"] not in (404, 409)] # lost to the cluster's own controllers, or gone by itself
    asked = [x for x in writes if x[1] in ("workloads", "jobs")]
    assert asked[:2] == [("create", "workloads"), ("create", "jobs")] and asked.count(("delete", "jobs")) <= 1, writes
    no_mirrors(offers, ns)


def test_a_job_preempted_on_the_worker_is_offered_anew(offers, ns):
    w1, w2 = offers.workers
    give(w1, ns, 2, preempt=True)
    offers.api.create(job("low", ns, {RUN: "forever"}, resources={"cpu": 2}))
    runs_on(offers, ns, "low", w1)
    w1.api.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "WorkloadPriorityClass", "metadata": {"name": "urgent"}, "value": 1000})
    own = job("urgent", ns, {RUN: "forever"}, resources={"cpu": 2}, suspend=True)
    own["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] = "urgent"
    w1.api.create(own)
    again = [mirror(w2, ns), eventually(lambda: [m for m in mirrors(w1, ns) if attempt_of(m) == 2], "it is offered again")[0]]
    assert all(not condition(m, "Admitted") for m in again)
    assert not w1.api.find(path(ns, "low")), "no copy is left while it waits"
    give(w2, ns, 10)
    assert attempt(runs_on(offers, ns, "low", w2, 2)) == 2
    offers.api.delete(path(ns, "low"))
    gone_everywhere(offers, ns, "low")
    w1.api.delete(path(ns, "urgent"))
    no_mirrors(offers, ns)


def attempt_of(m):
    return int(m["metadata"].get("annotations", {}).get("spillway.dev/attempt", 0))


@pytest.mark.parametrize("how", ["deactivated", "mirror deleted", "job deleted"])
def test_what_the_worker_takes_back_begins_a_new_attempt(offers, ns, how):
    w1, _ = offers.workers
    give(w1, ns, 10)
    offers.api.create(job("back", ns, {RUN: "forever"}))
    runs_on(offers, ns, "back", w1)
    name = mirror(w1, ns)["metadata"]["name"]
    if how == "deactivated":
        w1.api.patch(f"{KUEUE}/namespaces/{ns}/workloads/{name}", {"spec": {"active": False}})
    elif how == "mirror deleted":
        w1.api.delete(f"{KUEUE}/namespaces/{ns}/workloads/{name}")
    else:
        w1.api.delete(path(ns, "back"), propagationPolicy="Background")
    if how == "deactivated":
        give(offers.workers[1], ns, 10)  # a cluster that gave it up is not asked again for a while
        w1 = offers.workers[1]
    runs_on(offers, ns, "back", w1, 2)
    offers.api.wait(path(ns, "back"), count("ready", 1))
    finish(w1.api, ns, "back")
    assert condition(offers.api.wait(path(ns, "back"), lambda o: ended(o) and o), "Complete")
    gone_everywhere(offers, ns, "back")
    no_mirrors(offers, ns)


def test_a_queue_that_is_missing_or_stopped_is_a_verdict(offers, ns):
    w1, w2 = offers.workers
    give(w2, ns, 10)
    w1.api.delete(f"{KUEUE}/namespaces/{ns}/localqueues/lq")
    w2.api.patch(f"{KUEUE}/namespaces/{ns}/localqueues/lq", {"spec": {"stopPolicy": "Hold"}})
    offers.api.create(job("verdict", ns, {RUN: "forever"}))

    def reasons():
        shown = json.loads(offers.cli("explain", "job/verdict", "-n", ns, "-o", "json"))
        return {c["cluster"]: c["reason"] for c in shown["candidates"]}

    eventually(lambda: f"LocalQueue {ns}/lq does not exist" in reasons().get("w1", "") and "stopped" in reasons().get("w2", ""), "both are named")
    assert not mirrors(w1, ns) and not mirrors(w2, ns)
    w2.api.patch(f"{KUEUE}/namespaces/{ns}/localqueues/lq", {"spec": {"stopPolicy": "None"}})
    runs_on(offers, ns, "verdict", w2)
    offers.api.delete(path(ns, "verdict"))
    gone_everywhere(offers, ns, "verdict")
    no_mirrors(offers, ns)


def test_a_job_deleted_while_it_is_offered_leaves_no_mirror(offers, ns):
    offers.api.create(job("never", ns, {RUN: "forever"}))
    for w in offers.workers:
        mirror(w, ns)
    offers.api.delete(path(ns, "never"))
    no_mirrors(offers, ns)


def test_an_admitted_mirror_that_lost_goes_too(offers, ns):
    for w in offers.workers:
        give(w, ns, 10)
    offers.api.create(job("both", ns, {RUN: "forever"}))
    w = holder(offers, ns, "both")
    other = [x for x in offers.workers if x is not w][0]
    eventually(lambda: not mirrors(other, ns), "the loser's mirror is withdrawn, admitted or not")
    runs_on(offers, ns, "both", w)
    assert not other.api.find(path(ns, "both"))
    offers.api.delete(path(ns, "both"))
    gone_everywhere(offers, ns, "both")
    no_mirrors(offers, ns)


def test_a_job_of_another_with_the_name_keeps_the_cluster_out(offers, ns):
    w1, w2 = offers.workers
    strange = job("mine", ns, {RUN: "forever"}, suspend=True)
    del strange["metadata"]["labels"][QUEUE]
    w1.api.create(strange)
    give(w1, ns, 10)
    offers.api.create(job("mine", ns, {RUN: "forever"}))
    mirror(w2, ns)
    give(w2, ns, 10)
    runs_on(offers, ns, "mine", w2)
    offers.api.delete(path(ns, "mine"))
    w2.api.wait(path(ns, "mine"), absent)
    assert "spillway.dev/origin" not in w1.api.get(path(ns, "mine"))["metadata"].get("labels", {})
    w1.api.delete(path(ns, "mine"))
    no_mirrors(offers, ns)


def test_a_job_suspended_by_its_user_stops_there_and_is_offered_again(offers, ns):
    w1, _ = offers.workers
    give(w1, ns, 10)
    offers.api.create(job("rest", ns, {RUN: "forever"}))
    runs_on(offers, ns, "rest", w1)
    offers.api.patch(path(ns, "rest"), {"spec": {"suspend": True}})
    gone_everywhere(offers, ns, "rest")
    no_mirrors(offers, ns)
    offers.api.patch(path(ns, "rest"), {"spec": {"suspend": False}})
    runs_on(offers, ns, "rest", w1, 2)
    offers.api.wait(path(ns, "rest"), count("ready", 1))
    finish(w1.api, ns, "rest")
    assert condition(offers.api.wait(path(ns, "rest"), lambda o: ended(o) and o), "Complete")
    no_mirrors(offers, ns)


def test_a_killed_gateway_goes_on_with_what_it_offered_and_what_runs(offers, ns):
    w1, w2 = offers.workers
    offers.api.create(job("live", ns, {RUN: "forever"}))
    uids = [mirror(w, ns)["metadata"]["uid"] for w in offers.workers]
    offers.stop(signal.SIGKILL)
    give(w2, ns, 10)
    w2.api.wait(f"{KUEUE}/namespaces/{ns}/workloads/{mirror(w2, ns)['metadata']['name']}", lambda o: condition(o, "Admitted"))
    offers.start()
    copy = runs_on(offers, ns, "live", w2)
    assert attempt(copy) == 1 and mirror(w2, ns)["metadata"]["uid"] == uids[1], "the same offer"
    offers.stop(signal.SIGKILL)
    eventually(lambda: len(pods(w2.api, ns, "live")) == 1, "its pod is there")
    finish(w2.api, ns, "live")
    w2.api.wait(path(ns, "live"), ended)
    offers.start()
    assert condition(offers.api.wait(path(ns, "live"), lambda o: ended(o) and o), "Complete")
    gone_everywhere(offers, ns, "live")
    no_mirrors(offers, ns)


def test_pod_sets_of_a_kubeflow_job_are_the_same_in_mirror_and_job(offers, ns):
    """Its operator does not run here; that Kueue unsuspends the copy says that it found the job equal to the mirror."""
    w1, _ = offers.workers
    give(w1, ns, 20)
    pod = {"spec": {"containers": [{"name": "pytorch", "image": "busybox", "resources": {"requests": {"cpu": "1"}}}]}}
    offers.api.create({"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"name": "k", "namespace": ns, "labels": {QUEUE: "lq"}},
                       "spec": {"pytorchReplicaSpecs": {r: {"replicas": n, "restartPolicy": "OnFailure", "template": pod} for r, n in (("Master", 1), ("Worker", 2))}}})
    at = path(ns, "k", "pytorchjobs", "kubeflow.org/v1")
    w1.api.wait(at, lambda o: o and not o["spec"]["runPolicy"].get("suspend"))
    assert not condition(mirror(w1, ns), "Finished")
    ended_well = {"type": "Succeeded", "status": "True", "reason": "PyTorchJobSucceeded", "message": "done"}
    w1.api.patch(at + "/status", {"status": {"conditions": [ended_well], "replicaStatuses": {"Master": {"succeeded": 1}}}})
    offers.api.wait(at, lambda o: condition(o, "Succeeded"))
    w1.api.wait(at, absent)
    no_mirrors(offers, ns)
