# SPDX-License-Identifier: Apache-2.0
"""batch/v1 Jobs in mirror role: stock Kueue keeps quota on the manager, spillway dispatches to workers with stock Kueue."""
from jobs import EXIT, RUN, absent, condition, count, ended, finish, finish_all, gone_everywhere, holder, job, path, pods
from mirrored import ORIGIN, check, evictions, only, other_check, queue_of_two_flavors, set_quota, state, stop_queue, wait_workload, workload_of, workload_path, workloads
from process import eventually


def no_mirrors(g, ns):
    for w in g.workers:
        assert eventually(lambda: not workloads(w.api, ns), f"no Workload is left on {w.name}") is True


def test_a_job_runs_on_the_worker_that_admits_it(mirror, ns):
    mirror.api.create(job("pi", ns, {RUN: "forever"}, parallelism=2, completions=2))
    at = wait_workload(mirror, ns, "pi", lambda o: condition(o, "Admitted"))
    w = holder(mirror, ns, "pi")
    assert at["status"]["clusterName"] == w.name and not at["status"].get("nominatedClusterNames")
    assert check(at)["state"] == "Ready" and w.name in check(at)["message"]
    mirrored = only(workloads(w.api, ns), "one mirror on the winner")
    assert mirrored["metadata"]["name"] == at["metadata"]["name"]
    assert [(p["name"], p["count"]) for p in mirrored["spec"]["podSets"]] == [(p["name"], p["count"]) for p in at["spec"]["podSets"]]
    copy = w.api.get(path(ns, "pi"))
    assert copy["metadata"]["labels"][ORIGIN] and not copy["metadata"].get("ownerReferences") and not copy["spec"].get("managedBy", "").startswith("kueue.x-k8s.io/multi")
    for other in mirror.workers:
        if other is not w:
            assert eventually(lambda: not workloads(other.api, ns), "the loser's mirror is swept") is True
    mirror.api.wait(path(ns, "pi"), count("ready", 2))
    finish(w.api, ns, "pi")
    done = mirror.api.wait(path(ns, "pi"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete") and done["status"]["succeeded"] == 2
    wait_workload(mirror, ns, "pi", lambda o: condition(o, "Finished"))
    gone_everywhere(mirror, ns, "pi")
    no_mirrors(mirror, ns)


def test_the_managers_job_is_unsuspended_marked_and_shows_live_status(mirror, ns):
    """managedBy comes from the shipped admission policy: nothing of it is in the user's manifest."""
    made = mirror.api.create(job("live", ns, {RUN: "forever"}))
    assert made["spec"]["managedBy"] == "kueue.x-k8s.io/multikueue" and made["spec"]["suspend"] is True
    at = mirror.api.wait(path(ns, "live"), lambda o: o and o["status"].get("ready") == 1 and o)
    assert at["spec"]["suspend"] is False and at["status"]["active"] == 1 and at["status"]["startTime"]
    assert not pods(mirror.api, ns, "live"), "the manager's own job controller keeps off"
    finish(holder(mirror, ns, "live").api, ns, "live")
    mirror.api.wait(path(ns, "live"), lambda o: condition(o, "Complete"))


def test_a_failed_job_fails_on_the_manager_with_the_workers_reason(mirror, ns):
    mirror.api.create(job("bad", ns, {RUN: "100ms", EXIT: "4"}, backoffLimit=0))
    done = mirror.api.wait(path(ns, "bad"), lambda o: o and ended(o) and o)
    assert condition(done, "Failed")["reason"] == "BackoffLimitExceeded" and done["status"]["failed"] == 1
    at = wait_workload(mirror, ns, "bad", lambda o: condition(o, "Finished"))
    assert condition(at, "Finished")["reason"] == "Failed"
    gone_everywhere(mirror, ns, "bad")


def test_an_indexed_job_keeps_its_indexes(mirror, ns):
    mirror.api.create(job("indexed", ns, {RUN: "100ms"}, parallelism=3, completions=3, completionMode="Indexed"))
    done = mirror.api.wait(path(ns, "indexed"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete") and done["status"]["completedIndexes"] == "0-2"
    gone_everywhere(mirror, ns, "indexed")


def test_a_job_without_our_queue_is_left_alone(mirror, ns):
    """An ordinary LocalQueue on the same manager: the policy does not mark its jobs, and they run here or wait here."""
    mirror.api.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": "plain", "namespace": ns}, "spec": {"clusterQueue": "local"}})
    made = mirror.api.create(job("here", ns, queue="plain"))
    assert "managedBy" not in made["spec"]


def test_a_remote_that_finishes_out_of_sync_is_tried_again(mirror, ns):
    mirror.api.create(job("sync", ns, {RUN: "forever"}))
    mirror.api.wait(path(ns, "sync"), count("ready", 1))
    w = holder(mirror, ns, "sync")
    first = w.api.get(path(ns, "sync"))["metadata"]["uid"]
    name = only(workloads(w.api, ns), "mirror")["metadata"]["name"]
    w.api.patch(workload_path(ns, name) + "/status", {"status": {"conditions": [
        *w.api.get(workload_path(ns, name))["status"]["conditions"],
        {"type": "Finished", "status": "True", "reason": "OutOfSync", "message": "set by the test", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
    at = wait_workload(mirror, ns, "sync", lambda o: evictions(o) == 1 and condition(o, "Admitted") and not condition(o, "Evicted"), "moved once, and admitted again")
    assert not condition(at, "Finished")
    again = holder(mirror, ns, "sync")
    eventually(lambda: (again.api.find(path(ns, "sync")) or {"metadata": {"uid": first}})["metadata"]["uid"] != first, "a new copy, not the old one")
    mirror.api.wait(path(ns, "sync"), count("ready", 1))
    finish(again.api, ns, "sync")
    mirror.api.wait(path(ns, "sync"), lambda o: condition(o, "Complete"))
    gone_everywhere(mirror, ns, "sync")


def test_a_deleted_job_takes_its_copy_and_mirrors_along(mirror, ns):
    mirror.api.create(job("stop", ns, {RUN: "forever"}))
    mirror.api.wait(path(ns, "stop"), count("ready", 1))
    mirror.api.delete(path(ns, "stop"))
    mirror.api.wait(path(ns, "stop"), absent)
    gone_everywhere(mirror, ns, "stop")
    no_mirrors(mirror, ns)


def test_a_check_rejected_by_somebody_removes_the_mirrors(mirror, ns, queues):
    """No quota on any worker, so mirrors wait; then the check is set Rejected from outside."""
    queues(workers={w.name: 0 for w in mirror.workers})
    mirror.api.create(job("no", ns, {RUN: "forever"}))
    wait_workload(mirror, ns, "no", lambda o: o.get("status", {}).get("nominatedClusterNames"))
    eventually(lambda: any(workloads(w.api, ns) for w in mirror.workers), "a mirror is offered")
    name = workload_of(mirror.api, ns, "no")["metadata"]["name"]

    def reject():
        at = mirror.api.get(workload_path(ns, name))
        checks = [{**c, "state": "Rejected", "message": "by the test"} for c in at["status"]["admissionChecks"]]
        return mirror.api.patch(workload_path(ns, name) + "/status", {"metadata": {"resourceVersion": at["metadata"]["resourceVersion"]}, "status": {"admissionChecks": checks}})

    reject()
    no_mirrors(mirror, ns)
    at = mirror.api.wait(workload_path(ns, name), lambda o: o and not o["status"].get("nominatedClusterNames") and o["spec"]["active"] is False and o)
    assert not at["status"].get("clusterName")


def test_a_job_evicted_on_its_worker_moves_and_counters_never_fall(mirror, ns, queues):
    """All five walls of a move: quota comes back, the winner is cleared, counters add up, startTime is new, the attempt is counted."""
    queues()
    mirror.api.create(job("mover", ns, {RUN: "forever"}, parallelism=2, completions=4, backoffLimit=6))
    mirror.api.wait(path(ns, "mover"), count("ready", 2))
    first = holder(mirror, ns, "mover")
    one, _ = pods(first.api, ns, "mover")
    first.api.patch(f"/api/v1/namespaces/{ns}/pods/{one['metadata']['name']}", {"metadata": {"annotations": {"testbed.spillway.dev/finish": "1"}}})
    before = mirror.api.wait(path(ns, "mover"), lambda o: o and o["status"].get("failed") == 1 and o)
    seen = []
    stop_queue(first.api, ns)
    mirror.api.wait(path(ns, "mover"), lambda o: seen.append(o["status"]) or (holder_is_other(mirror, ns, first) and o["status"].get("ready") == 2))
    at = wait_workload(mirror, ns, "mover", lambda o: condition(o, "Admitted"))
    assert at["status"]["clusterName"] != first.name and evictions(at) == 1
    after = mirror.api.get(path(ns, "mover"))
    assert after["status"]["failed"] >= before["status"]["failed"] and after["status"]["startTime"] >= before["status"]["startTime"]
    failed = [s.get("failed", 0) for s in seen]
    assert failed == sorted(failed), f"status.failed fell: {failed}"
    first.api.wait(path(ns, "mover"), absent)
    second = holder(mirror, ns, "mover")
    finish_all(second.api, ns, "mover")
    done = mirror.api.wait(path(ns, "mover"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete") and done["status"]["succeeded"] == 4 and done["status"]["failed"] >= 1
    gone_everywhere(mirror, ns, "mover")


def holder_is_other(g, ns, first):
    return any(w is not first and w.api.find(path(ns, "mover")) for w in g.workers)


def test_other_checks_come_first(mirror, ns, queues):
    """A second AdmissionCheck on the queue: nothing is mirrored before it is Ready."""
    api = mirror.api
    other_check(api, ns)
    queues(checks=["spillway", ns])
    api.create(job("second", ns, {RUN: "100ms"}))
    wait_workload(mirror, ns, "second", lambda o: condition(o, "QuotaReserved") and state(o, ns) == "Pending")
    api.create(job("later", "default", {RUN: "100ms"}, annotations={"for": ns}) | {"metadata": {"name": ns, "namespace": "default", "labels": {"kueue.x-k8s.io/queue-name": "lq"}}})
    api.wait(path("default", ns), ended, what="a job of another queue that came later went through meanwhile")
    assert not any(workloads(w.api, ns) for w in mirror.workers)
    name = workload_of(api, ns, "second")["metadata"]["name"]

    def ready():
        at = api.get(workload_path(ns, name))
        checks = [{**c, "state": "Ready"} if c["name"] == ns else c for c in at["status"]["admissionChecks"]]
        api.patch(workload_path(ns, name) + "/status", {"metadata": {"resourceVersion": at["metadata"]["resourceVersion"]}, "status": {"admissionChecks": checks}})

    ready()
    assert condition(api.wait(path(ns, "second"), lambda o: o and ended(o) and o), "Complete")
    gone_everywhere(mirror, ns, "second")
    api.delete(path("default", ns))


def test_a_check_that_covers_some_flavors_only_holds_back_what_gets_these(mirror, ns, queues):
    """Ours covers them all, so it is there before quota is; the other one never comes to a job without memory."""
    queues()
    queue_of_two_flavors(mirror.api, ns, cpu=0)
    mirror.api.create(job("few", ns, {RUN: "100ms"}))
    at = wait_workload(mirror, ns, "few", lambda o: state(o))
    assert state(at) == "Pending" and not condition(at, "QuotaReserved") and not check(at, ns)
    assert not any(workloads(w.api, ns) for w in mirror.workers), "nothing is offered before quota"
    set_quota(mirror.api, ns, cpu=10)
    done = wait_workload(mirror, ns, "few", lambda o: condition(o, "Finished"))
    assert not check(done, ns) and condition(mirror.api.get(path(ns, "few")), "Complete")
    gone_everywhere(mirror, ns, "few")
    no_mirrors(mirror, ns)
    mirror.api.create(job("both", ns, {RUN: "100ms"}, resources={"memory": "1Gi"}))
    wait_workload(mirror, ns, "both", lambda o: condition(o, "QuotaReserved") and (state(o), state(o, ns)) == ("Pending", "Pending"), "Kueue adds the check of the flavor")
    no_mirrors(mirror, ns)  # Kueue may add it a moment after quota: what was offered in between is withdrawn
    mirror.api.delete(path(ns, "both"))


def test_logs_come_from_the_worker_while_it_runs_and_are_kept_after(mirror, ns):
    """The manager has no pods, so `kubectl logs` finds none there; `spillway logs` does, and goes with the job."""
    said = "hello from a pod of the testbed"
    mirror.api.create(job("talk", ns, {RUN: "forever"}, parallelism=2, completions=2))
    mirror.api.wait(path(ns, "talk"), count("ready", 2))
    w = holder(mirror, ns, "talk")
    names = {p["metadata"]["name"] for p in pods(w.api, ns, "talk")}

    def shown():
        """The pods whose log is printed, each with its prefix."""
        text = mirror.cli("logs", "job/talk", "-n", ns)
        return {line[1:].split("/")[0] for line in text.splitlines() if said in line}

    assert shown() == names
    finish(w.api, ns, "talk")
    mirror.api.wait(path(ns, "talk"), ended)
    gone_everywhere(mirror, ns, "talk")
    assert shown() == names, "kept after the copy went"
    mirror.api.delete(path(ns, "talk"))
    mirror.api.wait(path(ns, "talk"), absent)
    eventually(lambda: "there is no Job" in mirror.cli("logs", "job/talk", "-n", ns, check=False).stderr, "they go with the job")
