# SPDX-License-Identifier: Apache-2.0
"""Every request of a job's life goes wrong once, in every way: the job ends, it ran once, and nothing is left behind.

The jobs of one test run at the same time, each with a fault of its own at a request of its own: x03-reply-lost-x loses the reply
to the fourth request that is about it, whichever server that goes to.
"""
import collections
import signal
import threading
import time

import pytest

from jobs import ended, job, path
from line import SERVERS, begin, creations, job_of, leftovers
from process import eventually

pytestmark = pytest.mark.alone("mirror")

FAULTS = ("half-open", "reply-lost", "drop", "truncate", "delay", "429", "500", "503")  # half-open first: it takes the gateway's patience
LIFE = 8  # requests that are about one job, at least, from its submission to its end


def matrix(whole):
    """Each request is lost in the three ways that leave the gateway in doubt, and once in one of the others, by turns."""
    return {f"x{at:02d}-{fault}-x": (at, fault) for i, fault in enumerate(FAULTS) for at in range(LIFE) if whole or i < 3 or at % 5 == i - 3}


class AtRequest:
    """Names the fault of each job at its own request, once. hit: what was struck."""

    def __init__(self, faults):
        self.faults, self.seen, self.hit, self.lock = faults, collections.Counter(), {}, threading.Lock()

    def __call__(self, server, request):
        name = job_of(request)
        if name not in self.faults:
            return None
        with self.lock:
            self.seen[name] += 1
            at, fault = self.faults[name]
            if self.seen[name] != at + 1:
                return None
            self.hit[name] = f"{server} {request}"
            return fault(request) if callable(fault) else fault


def check_all(bed, ns, names, hit):
    """Every job succeeded, was created on one worker once, and left nothing there."""
    for name in names:
        done = bed["manager"].api.wait(path(ns, name), lambda o: o and ended(o) and o, limit_s=180, what=f"{name} ends ({hit.get(name)})")
        assert ended(done)["type"] == "Complete", (name, hit.get(name), done["status"])
        assert done["status"]["succeeded"] == 1, (name, hit.get(name), done["status"])
    assert creations(bed, ns) == {name: 1 for name in names}, hit
    assert eventually(lambda: not leftovers(bed, ns), "nothing is left on the workers", limit=120) is True


def without_lost_races(requests):
    """Kueue writes the same objects at any time: a compare-and-set that lost is no request too many, nor is the reading that follows, nor a
    deletion of what went by itself."""
    kept, lost = [], set()
    for r in requests:
        if r.status == 409:
            lost.add(r.path.removesuffix("/status"))
        elif r.verb == "GET" and r.path in lost:
            lost.discard(r.path)
        elif (r.verb, r.status) != ("DELETE", 404):
            kept.append(r)
    return kept


def test_a_quiet_life_takes_as_many_requests_as_promised(own, lines, bed, ns):
    g = begin(own, lines, ns)
    g.api.create(job("x00-none-x", ns))
    g.api.wait(path(ns, "x00-none-x"), ended)
    eventually(lambda: not leftovers(bed, ns), "nothing is left on the workers")
    sent = {n: without_lost_races(rs) for n, rs in lines.requests("x00-none-x").items()}
    shown = {n: [str(r) for r in rs] for n, rs in sent.items()}
    on_manager = [r for r in sent["manager"] if "/events" not in r.path]
    won = next(i for i, r in enumerate(on_manager) if b"clusterName" in r.body)
    assert won <= 2, shown  # Suspended, nominated, won
    winner = next(n for n in SERVERS[1:] if any(r.verb == "POST" and r.path.endswith("/jobs") for r in sent[n]))
    up_to_start = [r for r in sent[winner] if r.verb == "POST"]
    assert len(up_to_start) == 2, shown  # the Workload, the Job
    assert sum("/events" in r.path for r in sent["manager"]) <= 3, shown
    assert all(r.status < 400 for rs in sent.values() for r in rs), shown


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.nightly)], ids=["some", "whole"])
def test_each_request_fails_in_every_way(own, lines, bed, ns, whole):
    faults = matrix(whole)
    strike = AtRequest(faults)
    lines.decide(strike)
    g = begin(own, lines, ns)
    for name in faults:
        g.api.create(job(name, ns))
    check_all(bed, ns, faults, strike.hit)
    assert len(strike.hit) == len(faults), sorted(set(faults) - set(strike.hit))


def test_the_gateway_is_killed_at_each_request(own, lines, bed, ns):
    """Before the server has seen it, and after the server has done it and nobody heard."""
    g = begin(own, lines, ns, manager={**lines.settings()["manager"], "lease_duration": "2s"})

    def kill(then):
        def now(request):
            g.process.p.send_signal(signal.SIGKILL)
            return then

        return now

    faults = {f"x{at:02d}-{word}-x": (at, kill(then)) for word, then in (("before", "drop"), ("after", "reply-lost")) for at in range(0, LIFE, 2)}
    strike = AtRequest(faults)
    lines.decide(strike)
    over = threading.Event()

    def restart():  # whatever it ended by: on a slow machine it may lose its lease
        while not over.is_set():
            if g.process.p.poll() is not None:
                g.stop()
                g.start(wait=False)
            time.sleep(0.05)

    keeper = threading.Thread(target=restart)
    keeper.start()
    try:
        for name in faults:
            g.api.create(job(name, ns))
        check_all(bed, ns, faults, strike.hit)
    finally:
        over.set()
        keeper.join()
    assert len(strike.hit) == len(faults), sorted(set(faults) - set(strike.hit))


def test_watches_that_are_too_old_end_in_a_new_list(own, lines, bed, ns):
    """410 to the first try of each watch, then a cut of all connections while jobs run."""
    refused = set()

    def once(server, request):
        if request.verb == "WATCH" and (server, request.path) not in refused:
            refused.add((server, request.path))
            return "410"
        return None

    lines.decide(once)
    g = begin(own, lines, ns)
    names = [f"x{i:02d}-old-x" for i in range(5)]
    for name in names:
        g.api.create(job(name, ns))
        for p in lines.proxy.values():
            p.cut("refuse")
            p.mend()
    check_all(bed, ns, names, {})
    assert {s for s, _ in refused} == set(SERVERS)
