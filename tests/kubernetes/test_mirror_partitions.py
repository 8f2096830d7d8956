# SPDX-License-Identifier: Apache-2.0
"""The line to a worker is cut for longer than the grace; gateways are paused; a manager is set back in time; installations share a worker."""
import json
import signal

import pytest
from conftest import add_namespace

from gateway import Gateway
from jobs import RUN, count, ended, finish, gone_everywhere, holder, job, path
from line import Lines
from process import eventually
from test_mirror_requests import SERVERS, creations, leftovers

pytestmark = pytest.mark.alone

CUTS = ("refuse", "silent", "one-way")


@pytest.fixture
def lines(bed, tmp_path):
    made = Lines(bed, SERVERS, tmp_path)
    yield made
    made.close()


@pytest.fixture
def namespace(bed, ns):
    add_namespace(bed["manager"].api, ns, "cq", {"spillway.dev/dispatch": "true"})
    for w in SERVERS[1:]:
        add_namespace(bed[w].api, ns, "cq")
    return ns


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


@pytest.mark.parametrize("cut", CUTS)
def test_hold_keeps_the_job_where_it_is_until_the_worker_answers(own, lines, bed, namespace, cut):
    g = own("mirror", **lines.settings(), dispatch={"lost_after": "2s", "lost": "hold"})
    w = running(g, namespace, "stays")
    lines.proxy[w.name].cut(cut)
    told(g.api, namespace, "stays", "held until it answers")
    finish(w.api, namespace, "stays")
    w.api.wait(path(namespace, "stays"), ended)
    lines.proxy[w.name].mend()
    succeeded(g, namespace, "stays")
    gone_everywhere(g, namespace, "stays")
    assert creations(bed, namespace) == {"stays": 1}


def test_duplicate_moves_the_job_and_sweeps_the_first_copy_when_its_worker_is_back(own, lines, bed, namespace):
    g = own("mirror", **lines.settings(), dispatch={"lost_after": "2s", "lost": "duplicate"})
    w = running(g, namespace, "moves")
    lines.proxy[w.name].cut("silent")
    other = next(x for x in g.workers if x.name != w.name)
    other.api.wait(path(namespace, "moves"), bool, limit_s=120, what="it is created on the other worker")
    lines.proxy[w.name].mend()
    w.api.wait(path(namespace, "moves"), lambda o: o is None, limit_s=120, what="the first copy is swept")
    finish(other.api, namespace, "moves")
    succeeded(g, namespace, "moves")
    gone_everywhere(g, namespace, "moves")


def test_a_result_that_a_lost_worker_had_is_taken_before_anything_is_deleted(own, lines, bed, namespace):
    """Both workers are away when the grace ends: the new copy cannot begin, and the old one ended well meanwhile."""
    g = own("mirror", **lines.settings(), dispatch={"lost_after": "2s", "lost": "duplicate"})
    w = running(g, namespace, "done-there")
    for name in SERVERS[1:]:
        lines.proxy[name].cut("silent")
    finish(w.api, namespace, "done-there")
    w.api.wait(path(namespace, "done-there"), ended)
    workload = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{namespace}/workloads"
    eventually(lambda: not (g.api.get(workload)["items"][0]["status"].get("clusterName")), "the job is given up there", limit=120)
    lines.proxy[w.name].mend()
    succeeded(g, namespace, "done-there")
    assert creations(bed, namespace) == {"done-there": 1}


def test_a_worker_declared_dead_gives_its_job_up_and_is_cleaned_when_it_is_back(own, lines, bed, namespace):
    g = own("mirror", **lines.settings(), dispatch={"lost_after": "2s", "lost": "hold"})
    w = running(g, namespace, "moves")
    lines.proxy[w.name].cut("refuse")
    told(g.api, namespace, "moves", "held until it answers")
    g.cli("cluster", "declare-dead", w.name, "--yes")
    other = next(x for x in g.workers if x.name != w.name)
    other.api.wait(path(namespace, "moves"), bool, limit_s=120, what="it is created on the other worker")
    lines.proxy[w.name].mend()
    w.api.wait(path(namespace, "moves"), lambda o: o is None, limit_s=120, what="the first copy is swept")
    finish(other.api, namespace, "moves")
    succeeded(g, namespace, "moves")


def test_the_managers_api_server_is_killed_while_jobs_run(own, bed, namespace):
    g = own("mirror")
    w = running(g, namespace, "stays")
    bed["manager"].kill("kube-apiserver")
    finish(w.api, namespace, "stays")
    w.api.wait(path(namespace, "stays"), ended)
    bed["manager"].start("kube-apiserver")
    succeeded(g, namespace, "stays")
    gone_everywhere(g, namespace, "stays")
    assert creations(bed, namespace) == {"stays": 1}


def test_a_leader_that_slept_longer_than_its_lease_writes_nothing_when_it_wakes(own, bed, namespace, tmp_path):
    first = own("mirror", manager={"lease_duration": "3s"})
    w = running(first, namespace, "stays")
    second = Gateway("mirror", tmp_path / "second", bed)
    second.dir.mkdir()
    (second.dir / "spillway.yaml").write_text((first.dir / "spillway.yaml").read_text().replace(str(first.dir / "data"), str(second.dir / "data")))
    lease = "/apis/coordination.k8s.io/v1/namespaces/spillway-system/leases/spillway"
    held_by = bed["manager"].api.get(lease)["spec"]["holderIdentity"]
    try:
        second.start(wait=False)
        first.process.p.send_signal(signal.SIGSTOP)
        bed["manager"].api.wait(lease, lambda o: o and o["spec"]["holderIdentity"] != held_by, limit_s=60, what="the other gateway leads")
        first.api.create(job("next", namespace))
        first.process.p.send_signal(signal.SIGCONT)
        first.api.wait(path(namespace, "next"), ended, limit_s=120)
        eventually(lambda: first.process.p.poll() is not None, "the one that slept ends: whoever supervises it starts it anew")
        finish(w.api, namespace, "stays")
        succeeded(second, namespace, "stays")
        assert creations(bed, namespace) == {"stays": 1, "next": 1}
    finally:
        second.stop()


def test_two_installations_on_one_worker_leave_each_others_objects_alone(own, bed, namespace, tmp_path):
    """The second one has another manager: it may not place anything on a worker that is claimed, and deletes nothing there."""
    first = own("mirror")
    w = running(first, namespace, "stays")
    other = Gateway("embedded", tmp_path / "other", bed)
    other.dir.mkdir()
    settings = other.settings()
    settings["clusters"] = [{"name": w.name, "kubeconfig": str(w.account), "worker": "kueue"}]
    (other.dir / "spillway.yaml").write_text(json.dumps(settings))
    try:
        other.start(wait=False)
        other.process.wait_for("serving")

        def state():
            return next(iter(json.loads(other.cli("clusters", "-o", "json"))), {})

        eventually(lambda: "another installation" in state().get("why", ""), "it sees whose worker that is")
        add_namespace(other.api, namespace, "team")
        other.api.create(job("stays", namespace))
        other.api.wait(path(namespace, "stays", plural="workloads", group="kueue.x-k8s.io/v1beta2").rsplit("/", 1)[0], lambda o: True)
        finish(w.api, namespace, "stays")
        succeeded(first, namespace, "stays")
        gone_everywhere(first, namespace, "stays")
        assert creations(bed, namespace) == {"stays": 1}
        assert not other.api.get(path(namespace, "stays")).get("status", {}).get("active")
    finally:
        other.stop()


def test_a_manager_restored_from_an_old_snapshot_deletes_nothing_and_says_what_it_found(own, bed, namespace):
    g = own("mirror")
    known = running(g, namespace, "known")
    bed["manager"].snapshot("before")
    unknown = running(g, namespace, "unknown")
    g.stop()
    bed["manager"].restore("before")
    g.start(wait=False)
    eventually(lambda: "older than the clusters" in g.text(), "it says that the store is older", limit=120)
    assert known.api.find(path(namespace, "known")) and unknown.api.find(path(namespace, "unknown"))
    finish(known.api, namespace, "known")
    succeeded(g, namespace, "known")
    assert unknown.api.find(path(namespace, "unknown")), "what the manager does not know stays until a person decides"
    assert any("unknown" in left for left in leftovers(bed, namespace))
