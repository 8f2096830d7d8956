# SPDX-License-Identifier: Apache-2.0
"""The line to a worker is cut for longer than the grace, or goes silent. (Single requests that get no answer: test_mirror_requests.py.)"""
import json

import pytest

from jobs import RUN, count, ended, finish_all, gone_everywhere, holder, job, path
from line import SERVERS, begin, creations
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
