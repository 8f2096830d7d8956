# SPDX-License-Identifier: Apache-2.0
"""The embedded manager over real plain workers, when servers or the gateway itself are killed, frozen or set back."""
import json
import signal

import pytest
from conftest import add_namespace

from jobs import RUN, condition, count, ended, finish, finish_all, gone_everywhere, holder, job, path
from process import eventually

pytestmark = pytest.mark.alone("plain")


@pytest.fixture
def g(own, ns):
    g = own("embedded", dispatch={"schedule_within": "3s"})
    add_namespace(g.api, ns, "team")
    return g


def created_on(w, ns):
    """How often jobs were created in the namespace: the API server's own account of it."""
    return sum(e["verb"] == "create" and e["objectRef"]["resource"] == "jobs" and e["objectRef"].get("namespace") == ns and e["responseStatus"]["code"] == 201
               for e in w.audit() if "objectRef" in e)


def state_of(g, w):
    return next(c["state"] for c in json.loads(g.cli("clusters", "-o", "json")) if c["name"] == w.name)


def test_a_killed_api_server_does_not_disturb_a_running_job(g, ns):
    g.api.create(job("stay", ns, {RUN: "forever"}))
    g.api.wait(path(ns, "stay"), count("ready", 1))
    w = holder(g, ns, "stay")
    w.kill("kube-apiserver")
    eventually(lambda: state_of(g, w) == "NotReady", "the gateway notices")
    w.start("kube-apiserver")
    finish(w.api, ns, "stay")
    done = g.api.wait(path(ns, "stay"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete") and done["status"]["succeeded"] == 1
    gone_everywhere(g, ns, "stay")
    assert sum(created_on(w, ns) for w in g.workers) == 1


def test_a_killed_gateway_goes_on_where_it_was(g, ns):
    g.api.create(job("on", ns, {RUN: "forever"}, parallelism=2, completions=2))
    g.api.wait(path(ns, "on"), count("ready", 2))
    g.stop(signal.SIGKILL)
    w = holder(g, ns, "on")
    finish(w.api, ns, "on")
    w.api.wait(path(ns, "on"), ended)
    g.start()
    assert condition(g.api.wait(path(ns, "on"), lambda o: o and ended(o) and o), "Complete")
    gone_everywhere(g, ns, "on")
    assert sum(created_on(w, ns) for w in g.workers) == 1


@pytest.fixture
def fill():
    """fill(worker): others' pods, bound past the scheduler, take all that the nodes have; gone after the test."""
    made = []

    def all_nodes(w):
        for node in w.api.get("/api/v1/nodes")["items"]:
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"foreign-{node['metadata']['name']}", "namespace": "default", "annotations": {RUN: "forever"}},
                   "spec": {"nodeName": node["metadata"]["name"], "restartPolicy": "Never",
                            "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": node["status"]["allocatable"]["cpu"]}}}]}}
            made.append((w, w.api.path(w.api.create(pod) | {"apiVersion": "v1", "kind": "Pod"})))

    yield all_nodes
    for w, where in made:
        w.api.delete(where)


def test_foreign_pods_that_take_the_room_move_the_job(g, ns, fill):
    """The copy is there, but before its pods are scheduled somebody else's fill the nodes."""
    for w in g.workers:
        w.kill("kube-scheduler")
    g.api.create(job("mover", ns, {RUN: "forever"}))
    first = holder(g, ns, "mover")
    fill(first)
    for w in g.workers:
        w.start("kube-scheduler")
    g.api.wait(path(ns, "mover"), count("ready", 1))
    second = holder(g, ns, "mover")
    assert second.name != first.name
    finish(second.api, ns, "mover")
    done = g.api.wait(path(ns, "mover"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete") and done["status"]["succeeded"] == 1 and not done["status"].get("failed")
    gone_everywhere(g, ns, "mover")


def test_a_worker_set_back_in_time_loses_the_copy_and_the_job_runs_again(g, ns):
    g.api.create(job("first", ns, {RUN: "100ms"}))
    g.api.wait(path(ns, "first"), ended)
    gone_everywhere(g, ns, "first")
    for w in g.workers:
        w.snapshot(ns)
    g.api.create(job("back", ns, {RUN: "forever"}))
    g.api.wait(path(ns, "back"), count("ready", 1))
    w = holder(g, ns, "back")
    w.restore(ns)
    eventually(lambda: any(x.api.find(path(ns, "back")) for x in g.workers), "it is created anew")
    g.api.wait(path(ns, "back"), count("ready", 1))
    finish_all(holder(g, ns, "back").api, ns, "back")  # "ready" may be the lost copy's
    assert condition(g.api.wait(path(ns, "back"), lambda o: o and ended(o) and o), "Complete")
    gone_everywhere(g, ns, "back")
