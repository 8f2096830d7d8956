# SPDX-License-Identifier: Apache-2.0
"""Mirror role beside others: Kueue's own jobs on manager and workers, priorities and preemption, several installations."""
from jobs import RUN, absent, condition, count, ended, finish, finish_all, gone_everywhere, holder, job, path
from mirrored import KUEUE, evictions, only, queue, set_quota, wait_workload, workload_path, workloads
from process import eventually

PRIORITY = "kueue.x-k8s.io/priority-class"


def local(api, ns, name, cluster_queue):
    api.apply({"apiVersion": KUEUE, "kind": "LocalQueue", "metadata": {"name": name, "namespace": ns}, "spec": {"clusterQueue": cluster_queue}})


def test_a_worker_is_shared_with_jobs_of_its_own(mirror, ns, queues):
    """A job submitted on the worker itself, in the same ClusterQueue, runs beside dispatched ones and is left alone."""
    queues()
    w = mirror.workers[0]
    w.api.create(job("native", ns, {RUN: "forever"}))
    w.api.wait(path(ns, "native"), count("ready", 1))
    mirror.api.create(job("ours", ns, {RUN: "200ms"}))
    assert condition(mirror.api.wait(path(ns, "ours"), lambda o: o and ended(o) and o), "Complete")
    gone_everywhere(mirror, ns, "ours")
    assert w.api.get(path(ns, "native"))["status"]["ready"] == 1
    finish_all(w.api, ns, "native")
    assert condition(w.api.get(path(ns, "native")), "Complete")


def test_a_manager_is_shared_with_queues_that_are_not_dispatched(mirror, ns):
    """A ClusterQueue without our check: its Job is admitted by Kueue and started by the manager's own job controller."""
    queue(mirror.api, ns, {"cpu": 10})
    local(mirror.api, ns, "here", ns)
    made = mirror.api.create(job("here", ns, queue="here"))
    assert "managedBy" not in made["spec"]
    mirror.api.wait(path(ns, "here"), count("active", 1))
    mirror.api.create(job("there", ns, {RUN: "200ms"}))
    assert condition(mirror.api.wait(path(ns, "there"), lambda o: o and ended(o) and o), "Complete")
    assert not any(w.api.find(path(ns, "here")) for w in mirror.workers)
    mirror.api.delete(path(ns, "here"))
    mirror.api.delete(f"/apis/{KUEUE}/clusterqueues/{ns}")


def test_a_job_of_the_workers_own_with_the_same_name_is_not_touched(mirror, ns, queues):
    """Whatever the winner, the name is taken there: the job runs on the other worker, or waits, and nothing of theirs is changed."""
    queues()
    w1, w2 = mirror.workers
    theirs = w1.api.create(job("same", ns, {RUN: "forever"}))["metadata"]["uid"]
    w1.api.wait(path(ns, "same"), count("ready", 1))
    mirror.api.create(job("same", ns, {RUN: "200ms"}))
    done = mirror.api.wait(path(ns, "same"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete")
    at = w1.api.get(path(ns, "same"))
    assert at["metadata"]["uid"] == theirs and at["status"]["ready"] == 1 and "spillway.dev/origin" not in at["metadata"]["labels"]
    w1.api.delete(path(ns, "same"))


def classes(g):
    for api in (g.api, *(w.api for w in g.workers)):
        for name, value in (("low", 10), ("high", 1000)):
            api.apply({"apiVersion": KUEUE, "kind": "WorkloadPriorityClass", "metadata": {"name": name}, "value": value})


def with_priority(obj, name):
    obj["metadata"]["labels"][PRIORITY] = name
    return obj


def test_a_high_priority_job_preempts_a_low_one_on_the_manager(mirror, ns, queues):
    """Quota for one: the low job is stopped on its worker, its quota comes back, the high one runs, then the low one again."""
    classes(mirror)
    queues(cpu=1, preemption={"withinClusterQueue": "LowerPriority"})
    mirror.api.create(with_priority(job("low", ns, {RUN: "forever"}), "low"))
    mirror.api.wait(path(ns, "low"), count("ready", 1))
    first = holder(mirror, ns, "low")
    mirror.api.create(with_priority(job("high", ns, {RUN: "forever"}), "high"))
    mirror.api.wait(path(ns, "high"), count("ready", 1))
    first.api.wait(path(ns, "low"), absent, what="the low job's copy is gone")
    low = mirror.api.wait(path(ns, "low"), lambda o: o and o["spec"]["suspend"] and o)
    assert not low["status"].get("active")
    finish_all(holder(mirror, ns, "high").api, ns, "high")
    mirror.api.wait(path(ns, "high"), lambda o: condition(o, "Complete"))
    mirror.api.wait(path(ns, "low"), count("ready", 1), what="it runs again")
    finish_all(holder(mirror, ns, "low").api, ns, "low")
    mirror.api.wait(path(ns, "low"), lambda o: condition(o, "Complete"))
    gone_everywhere(mirror, ns, "low")


def test_a_job_preempted_on_its_worker_is_dispatched_again(mirror, ns, queues):
    """The worker's Kueue preempts our job for one of its own: ours moves to the other worker."""
    classes(mirror)
    queues(cpu=10, workers={"w1": 1, "w2": 1}, preemption={"withinClusterQueue": "LowerPriority"})
    mirror.api.create(with_priority(job("low", ns, {RUN: "forever"}), "low"))
    mirror.api.wait(path(ns, "low"), count("ready", 1))
    first = holder(mirror, ns, "low")
    first.api.create(with_priority(job("native", ns, {RUN: "forever"}), "high"))
    first.api.wait(path(ns, "native"), count("ready", 1))
    at = wait_workload(mirror, ns, "low", lambda o: evictions(o) == 1 and condition(o, "Admitted") and o["status"].get("clusterName") not in (None, first.name))
    second = holder(mirror, ns, "low")
    assert second.name == at["status"]["clusterName"]
    mirror.api.wait(path(ns, "low"), count("ready", 1))
    finish_all(second.api, ns, "low")
    mirror.api.wait(path(ns, "low"), lambda o: condition(o, "Complete"))
    first.api.delete(path(ns, "native"))


def prioritize(g, ns, name, to):
    g.api.patch(path(ns, name), {"metadata": {"labels": {PRIORITY: to}}})


def ranked(api, ns, value):
    """Workloads with this priority."""
    return [(w["metadata"]["name"], w["spec"]["priorityClassRef"]["name"]) for w in workloads(api, ns) if w["spec"].get("priority") == value]


def test_a_changed_priority_class_reaches_the_mirrors(mirror, ns, queues):
    """While it waits on both workers, and while it runs on one; there it outlasts a pod that fails."""
    classes(mirror)
    queues(workers={w.name: 0 for w in mirror.workers})
    mirror.api.create(with_priority(job("p", ns, {RUN: "forever"}, backoffLimit=3), "low"))
    eventually(lambda: all(workloads(w.api, ns) for w in mirror.workers), "a mirror is offered to each")
    prioritize(mirror, ns, "p", "high")
    name = wait_workload(mirror, ns, "p", lambda o: o["spec"].get("priority") == 1000)["metadata"]["name"]
    eventually(lambda: all(ranked(w.api, ns, 1000) == [(name, "high")] for w in mirror.workers), "the mirrors have it as well")
    for w in mirror.workers:
        set_quota(w.api, ns, cpu=10)
    mirror.api.wait(path(ns, "p"), count("ready", 1))
    w = holder(mirror, ns, "p")
    prioritize(mirror, ns, "p", "low")
    eventually(lambda: ranked(w.api, ns, 10) == [(name, "low")], "and where it runs")
    finish(w.api, ns, "p", 1)
    mirror.api.wait(path(ns, "p"), count("failed", 1))
    at = w.api.get(workload_path(ns, name))
    assert at["spec"]["priority"] == 10 and condition(at, "Admitted") and not condition(at, "Evicted")
    assert evictions(wait_workload(mirror, ns, "p", bool)) == 0


def test_a_job_whose_priority_falls_gives_way(mirror, ns, queues):
    """Two jobs of one class, room for one on the manager; the one that runs is made low: the other preempts it."""
    classes(mirror)
    queues(cpu=1, preemption={"withinClusterQueue": "LowerPriority"})
    mirror.api.create(with_priority(job("one", ns, {RUN: "forever"}), "high"))
    mirror.api.wait(path(ns, "one"), count("ready", 1))
    first = holder(mirror, ns, "one")
    mirror.api.create(with_priority(job("two", ns, {RUN: "forever"}), "high"))
    wait_workload(mirror, ns, "two", lambda o: any(c["type"] == "QuotaReserved" and c["status"] == "False" for c in o.get("status", {}).get("conditions", [])), "it waits for quota")
    prioritize(mirror, ns, "one", "low")
    mirror.api.wait(path(ns, "two"), count("ready", 1))
    gone_from = wait_workload(mirror, ns, "one", lambda o: condition(o, "Preempted") and condition(o, "Evicted"))["metadata"]["name"]
    first.api.wait(path(ns, "one"), absent)
    assert eventually(lambda: not any(w.api.find(workload_path(ns, gone_from)) for w in mirror.workers), "its mirrors are gone") is True


def test_a_gpu_resource_is_counted_on_both_sides(mirror, ns):
    mirror.api.create(job("gpu", ns, {RUN: "forever"}, annotations={"spillway.dev/gpu": "H100"}, resources={"gpu": 8}))
    mirror.api.wait(path(ns, "gpu"), count("ready", 1))
    w = holder(mirror, ns, "gpu")
    assert w.name == "w2", "the only one with H100"
    mirrored = only(workloads(w.api, ns), "mirror")
    assert mirrored["status"]["admission"]["podSetAssignments"][0]["resourceUsage"]["nvidia.com/gpu"] == "8"
    finish_all(w.api, ns, "gpu")
    mirror.api.wait(path(ns, "gpu"), lambda o: condition(o, "Complete"))
