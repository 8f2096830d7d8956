# SPDX-License-Identifier: Apache-2.0
"""The line to a worker is cut for longer than the grace, or goes silent. (Single requests that get no answer: test_mirror_requests.py.)"""
import json
import signal

import pytest
from conftest import add_mirrored_namespace, wait_policy

from jobs import RUN, condition, count, ended, finish_all, gone_everywhere, holder, job, path, pods
from line import SERVERS, begin, creations, leftovers
from mirrored import only, queue, set_quota, workload_path, workloads
from process import eventually

pytestmark = pytest.mark.alone("mirror")


def running(g, ns, name, **more):
    """Submits a job that runs until it is told to end; returns the worker that has it."""
    g.api.create(job(name, ns, {RUN: "forever"}, **more))
    g.api.wait(path(ns, name), count("ready", 1), limit_s=120)
    return holder(g, ns, name)


def succeeded(g, ns, name):
    done = g.api.wait(path(ns, name), lambda o: o and ended(o) and o, limit_s=120)
    assert ended(done)["type"] == "Complete" and done["status"]["succeeded"] == 1, done["status"]


def told(api, ns, name, words):
    def find():
        return [e["message"] for e in api.get(f"/api/v1/namespaces/{ns}/events")["items"] if e["involvedObject"]["name"] == name and words in e["message"]]

    return eventually(find, f"an event of {name} that says {words!r}")


def test_hold_keeps_the_job_where_it_is_until_the_worker_answers(own, lines, bed, ns):
    g = begin(own, lines, ns, dispatch={"lost_after": "2s", "lost": "hold"})
    w = running(g, ns, "stays")
    lines.proxy[w.name].cut("refuse")
    told(g.api, ns, "stays", "held until it answers")
    finish_all(w.api, ns, "stays")
    w.api.wait(path(ns, "stays"), ended)
    lines.proxy[w.name].mend()
    succeeded(g, ns, "stays")
    gone_everywhere(g, ns, "stays")
    assert creations(bed, ns) == {"stays": 1}


def test_duplicate_moves_the_job_and_sweeps_the_first_copy_when_its_worker_is_back(own, lines, bed, ns):
    g = begin(own, lines, ns, dispatch={"lost_after": "2s", "lost": "duplicate"})
    w = running(g, ns, "moves")
    lines.proxy[w.name].cut("refuse")
    other = next(x for x in g.workers if x.name != w.name)
    other.api.wait(path(ns, "moves"), bool, limit_s=120, what="it is created on the other worker")
    lines.proxy[w.name].mend()
    w.api.wait(path(ns, "moves"), lambda o: o is None, limit_s=120, what="the first copy is swept")
    finish_all(other.api, ns, "moves")
    succeeded(g, ns, "moves")
    gone_everywhere(g, ns, "moves")


def test_lease_ends_the_copy_out_of_sight_before_the_job_moves(own, lines, bed, ns):
    """Over plain workers: where a queue may restart a copy, its deadline would begin anew."""
    g = own("mirror", **{**lines.settings("plain"), "dispatch": {"lost_after": "2s", "lost": "lease", "lease": "30s", "lease_margin": "1s"}})
    add_mirrored_namespace(g, ns)
    wait_policy(g, ns)
    w = running(g, ns, "leased")
    other = next(x for x in g.workers if x.name != w.name)
    assert w.api.get(path(ns, "leased"))["spec"]["activeDeadlineSeconds"] > 0
    lines.proxy[w.name].cut("refuse")
    other.api.wait(path(ns, "leased"), bool, limit_s=150, what="it is created on the other worker")
    first = w.api.get(path(ns, "leased"))
    assert ended(first)["type"] == "Failed" and ended(first)["reason"] == "DeadlineExceeded", first["status"]
    assert not first["status"].get("active"), "nobody could reach it, and it ended by itself"
    lines.proxy[w.name].mend()
    w.api.wait(path(ns, "leased"), lambda o: o is None, limit_s=120, what="the first copy is swept")
    finish_all(other.api, ns, "leased")
    succeeded(g, ns, "leased")
    assert creations(bed, ns) == {"leased": 2}


def test_a_result_that_a_lost_worker_had_is_taken_before_anything_is_deleted(own, lines, bed, ns):
    """Both workers are away when the grace ends: the new copy cannot begin, and the old one ended well meanwhile."""
    g = begin(own, lines, ns, dispatch={"lost_after": "2s", "lost": "duplicate"})
    w = running(g, ns, "done-there")
    for name in SERVERS[1:]:
        lines.proxy[name].cut("refuse")
    finish_all(w.api, ns, "done-there")
    w.api.wait(path(ns, "done-there"), ended)
    workload = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{ns}/workloads"
    eventually(lambda: not (g.api.get(workload)["items"][0]["status"].get("clusterName")), "the job is given up there", limit=120)
    lines.proxy[w.name].mend()
    succeeded(g, ns, "done-there")
    assert creations(bed, ns) == {"done-there": 1}


def test_a_worker_declared_dead_gives_its_job_up_and_is_cleaned_when_it_is_back(own, lines, bed, ns):
    g = begin(own, lines, ns, dispatch={"lost_after": "2s", "lost": "hold"})
    w = running(g, ns, "moves")
    lines.proxy[w.name].cut("refuse")
    told(g.api, ns, "moves", "held until it answers")
    g.cli("cluster", "declare-dead", w.name)
    other = next(x for x in g.workers if x.name != w.name)
    other.api.wait(path(ns, "moves"), bool, limit_s=120, what="it is created on the other worker")
    lines.proxy[w.name].mend()
    w.api.wait(path(ns, "moves"), lambda o: o is None, limit_s=120, what="the first copy is swept")
    finish_all(other.api, ns, "moves")
    succeeded(g, ns, "moves")


def test_lines_that_go_silent_are_noticed_soon_and_nothing_moves(own, lines, bed, ns):
    """Packets vanish, both ways to one worker and one way from the other, and no connection ends: a watch that has no news looks just like
    that. Waiting for bookmarks takes minutes, so a heartbeat asks."""
    g = begin(own, lines, ns, dispatch={"heartbeat": "1s"})
    w = running(g, ns, "quiet")

    def state():
        return {c["name"]: (c["state"], c["why"]) for c in json.loads(g.cli("clusters", "-o", "json"))}

    for name, how in zip(SERVERS[1:], ("silent", "one-way")):
        lines.proxy[name].cut(how)
    eventually(lambda: all("a heartbeat has no answer" in why for _, why in state().values()), "both are out of reach, and it is said why", limit=40)
    finish_all(w.api, ns, "quiet")
    for name in SERVERS[1:]:
        lines.proxy[name].mend()
    succeeded(g, ns, "quiet")
    assert creations(bed, ns) == {"quiet": 1}
    eventually(lambda: all(s == "Ready" for s, _ in state().values()), "both are back")
    gone_everywhere(g, ns, "quiet")


def test_a_creation_that_lands_after_its_attempt_was_given_up_runs_nothing(own, lines, bed, ns):
    """A POST of attempt 1 that was on its way for long, word for word. The mirror of attempt 2 is there and has the same name; its containers
    have SPILLWAY_ATTEMPT, so the worker's Kueue gives both up (OutOfSync) instead of starting the job."""
    g = begin(own, lines, ns, manager={**lines.settings()["manager"], "lease_duration": "2s"})
    w1, w2 = g.workers
    try:
        for api, cpu, checks in (g.api, 10, ["spillway"]), (w1.api, 10, ()), (w2.api, 0, ()):
            queue(api, ns, {"cpu": cpu}, checks)
            api.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {
                "name": "own", "namespace": ns, "labels": {"spillway.dev/dispatch": "true"} if api is g.api else {}}, "spec": {"clusterQueue": ns}})
        wait_policy(g, ns, "own")
        g.api.create(job("late", ns, {RUN: "forever"}, queue="own"))
        g.api.wait(path(ns, "late"), count("ready", 1))
        late = only([r for r in lines.proxy["w1"].log if r.method == "POST" and r.path.endswith("/jobs") and r.name() == "late"], "creations of the copy")
        mirror = only(workloads(w1.api, ns), "mirror")["metadata"]["name"]
        set_quota(w1.api, ns, cpu=0)
        w1.api.delete(workload_path(ns, mirror))

        def waits(w):
            return [m for m in workloads(w.api, ns) if m["metadata"]["annotations"]["spillway.dev/attempt"] == "2" and not w.api.find(path(ns, "late"))]

        eventually(lambda: waits(w1) and waits(w2), "attempt 2 is offered to both and waits for quota")
        g.stop(signal.SIGKILL)  # else it might be quicker than Kueue
        copy = w1.api.create(json.loads(late.body))
        set_quota(w1.api, ns, cpu=10)
        given_up = w1.api.wait(workload_path(ns, mirror), lambda o: condition(o, "Finished"), what="its Kueue gives it up")
        assert given_up["reason"] == "OutOfSync", given_up
        assert w1.api.get(path(ns, "late"))["spec"]["suspend"] is True and not pods(w1.api, ns, "late"), "it was never started"
        g.start()
        w1.api.wait(path(ns, "late"), lambda o: o is None or o["metadata"]["uid"] != copy["metadata"]["uid"], limit_s=120, what="the late copy is removed")
        again = w1.api.wait(path(ns, "late"), lambda o: o and not o["spec"]["suspend"] and o, limit_s=120, what="a later attempt runs")
        env = again["spec"]["template"]["spec"]["containers"][0]["env"]
        assert env == [{"name": "SPILLWAY_ATTEMPT", "value": again["metadata"]["annotations"]["spillway.dev/attempt"]}]
        g.api.wait(path(ns, "late"), count("ready", 1), limit_s=120)
        finish_all(w1.api, ns, "late")
        succeeded(g, ns, "late")
        gone_everywhere(g, ns, "late")
        assert not leftovers(bed, ns)
    finally:
        for api in g.api, w1.api, w2.api:
            api.delete(f"/apis/kueue.x-k8s.io/v1beta2/clusterqueues/{ns}")
