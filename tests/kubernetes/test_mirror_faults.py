# SPDX-License-Identifier: Apache-2.0
"""Mirror role when API servers, workers and gateways go away and come back. Where it is only the gateway that loses sight of a worker, its line
is cut (test_mirror_partitions.py has more of these): a killed API server takes its cluster's controllers along, which come back when they like."""
import json
import signal

import pytest
import yaml
from conftest import DISPATCH, add_mirrored_namespace, add_namespace, remove_namespace, wait_policy

from gateway import Gateway
from jobs import RUN, absent, condition, count, ended, finish_all, gone_everywhere, holder, job, path
from mirrored import check, evictions, queue_of_two_flavors, state, wait_workload, workload_of, workload_path, workloads
from process import eventually

pytestmark = pytest.mark.alone("mirror")


@pytest.fixture
def gateway(own, ns):
    """gateway(**settings) in mirror role, its namespace on all sides."""
    made = []

    def start(**settings):
        g = own("mirror", **settings)
        made.append(g)
        add_mirrored_namespace(g, ns)
        wait_policy(g, ns)
        return g

    yield start
    for g in made:
        g.heal()
        remove_namespace(g, ns)


def running(g, ns, name, queue="lq"):
    wait_policy(g, ns, queue)
    g.api.create(job(name, ns, {RUN: "forever"}, queue))
    g.api.wait(path(ns, name), count("ready", 1))
    return holder(g, ns, name)


def two_flavors(g, ns):
    """A LocalQueue in such a ClusterQueue; on the workers it is an ordinary one."""
    queue_of_two_flavors(g.api, ns, 10)
    add_namespace(g.api, ns, ns, DISPATCH, "flavors")
    for w in g.workers:
        add_namespace(w.api, ns, "cq", queue="flavors")
    return "flavors"


BRIEF = {"lease_duration": "2s"}  # for a gateway that is killed: its successor waits for the lease


def clusters(g):
    return {c["name"]: c for c in json.loads(g.cli("clusters", "-o", "json"))}


def cluster_state(g, w):
    return clusters(g)[w.name]["state"]


def test_a_short_loss_of_the_worker_evicts_nothing_and_the_cluster_says_so(gateway, ns):
    g = gateway()
    w = running(g, ns, "brief")
    assert cluster_state(g, w) == "Ready"
    w.kill("kube-apiserver")
    eventually(lambda: cluster_state(g, w) == "NotReady", "the cluster is shown as not ready")
    w.start("kube-apiserver")
    eventually(lambda: cluster_state(g, w) == "Ready", "and ready again")
    at = wait_workload(g, ns, "brief", lambda o: True)
    assert state(at) == "Ready" and evictions(at) == 0
    finish_all(w.api, ns, "brief")
    g.api.wait(path(ns, "brief"), lambda o: condition(o, "Complete"))
    gone_everywhere(g, ns, "brief")


def test_a_job_deleted_while_its_worker_is_away_is_swept_when_it_returns(gateway, lines, ns):
    g = gateway(**lines.settings())
    w = running(g, ns, "orphan")
    lines.proxy[w.name].cut()
    g.api.delete(path(ns, "orphan"))
    g.api.wait(path(ns, "orphan"), absent)
    lines.proxy[w.name].mend()
    gone_everywhere(g, ns, "orphan")
    assert eventually(lambda: not workloads(w.api, ns), "and its Workload") is True


def test_a_lost_worker_is_left_when_the_queue_allows_two_copies(gateway, lines, ns):
    """dispatch.lost: duplicate, as MultiKueue does: after the grace the job moves; the returning copy is swept. Its queue has a check
    that covers some flavors only: ours stays on the Workload all the time, and the other never comes."""
    g = gateway(**lines.settings(), dispatch={"lost": "duplicate", "lost_after": "2s"})
    w = running(g, ns, "lost", two_flavors(g, ns))
    lines.proxy[w.name].cut()
    states = []
    at = wait_workload(g, ns, "lost", lambda o: states.append(state(o)) or (evictions(o) == 1 and condition(o, "Admitted") and o["status"].get("clusterName") not in (None, w.name)))
    assert None not in states and "Pending" in states and not check(at, ns), states
    second = next(x for x in g.workers if x.name == at["status"]["clusterName"])
    g.api.wait(path(ns, "lost"), count("ready", 1))
    lines.proxy[w.name].mend()
    w.api.wait(path(ns, "lost"), absent, what="the old copy is swept")
    finish_all(second.api, ns, "lost")
    g.api.wait(path(ns, "lost"), lambda o: condition(o, "Complete"))
    gone_everywhere(g, ns, "lost")


def test_a_lost_worker_holds_its_jobs_by_default(gateway, lines, ns):
    g = gateway(**lines.settings(), dispatch={"lost_after": "1s"})
    w = running(g, ns, "held")
    lines.proxy[w.name].cut()
    eventually(lambda: cluster_state(g, w) == "Lost", "the worker is lost")
    at = wait_workload(g, ns, "held", lambda o: True)
    assert at["status"]["clusterName"] == w.name and evictions(at) == 0
    assert not any(x.api.find(path(ns, "held")) for x in g.workers if x is not w), "no second copy"
    lines.proxy[w.name].mend()
    finish_all(w.api, ns, "held")
    g.api.wait(path(ns, "held"), lambda o: condition(o, "Complete"))


def test_a_gateway_restarted_while_the_worker_is_away_waits_and_then_moves(gateway, lines, ns):
    """The grace starts anew: nothing moves at once, and it moves in the end."""
    through = lines.settings()
    g = gateway(**through | {"manager": {**through["manager"], **BRIEF}}, dispatch={"lost": "duplicate", "lost_after": "4s"})
    w = running(g, ns, "again")
    lines.proxy[w.name].cut()
    g.stop(signal.SIGKILL)
    g.start(wait=False)
    g.process.wait_for("in sight of everything")
    assert evictions(wait_workload(g, ns, "again", lambda o: True)) == 0
    at = wait_workload(g, ns, "again", lambda o: evictions(o) == 1 and condition(o, "Admitted") and o["status"].get("clusterName") not in (None, w.name))
    second = next(x for x in g.workers if x.name == at["status"]["clusterName"])
    lines.proxy[w.name].mend()
    w.api.wait(path(ns, "again"), absent)
    finish_all(second.api, ns, "again")
    g.api.wait(path(ns, "again"), lambda o: condition(o, "Complete"))
    gone_everywhere(g, ns, "again")


def test_a_killed_gateway_finishes_what_ended_meanwhile(gateway, ns):
    g = gateway(manager=BRIEF)
    w = running(g, ns, "meanwhile")
    g.stop(signal.SIGKILL)
    finish_all(w.api, ns, "meanwhile")
    g.start()
    assert condition(g.api.wait(path(ns, "meanwhile"), lambda o: o and ended(o) and o), "Complete")
    gone_everywhere(g, ns, "meanwhile")


def test_a_killed_manager_api_server_disturbs_nothing(gateway, ns, bed):
    g = gateway()
    w = running(g, ns, "steady")
    bed["manager"].kill("kube-apiserver")
    bed["manager"].start("kube-apiserver")
    finish_all(w.api, ns, "steady")
    done = g.api.wait(path(ns, "steady"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete") and done["status"]["succeeded"] == 1
    gone_everywhere(g, ns, "steady")


LEASE = "/apis/coordination.k8s.io/v1/namespaces/spillway-system/leases/spillway"


def version(o):
    return int(o["metadata"]["resourceVersion"])


def outgrow(g, ns, seen):
    """Writes to the manager until its revision has passed this one."""
    notes = "/api/v1/namespaces/default/configmaps"
    while version(g.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ns, "namespace": "default"}})) <= seen:
        g.api.delete(f"{notes}/{ns}")
    g.api.delete(f"{notes}/{ns}")


@pytest.mark.parametrize("passed", [False, True], ids=["behind", "passed"])
def test_a_manager_restored_from_an_old_copy_deletes_nothing(gateway, ns, bed, passed):
    """The job and its Workload are not in the restored etcd: its copy is nobody's, and still it is not deleted before somebody has looked
    and says so, also if the restored server's revision has passed what the gateway saw before it looks. New jobs wait until then."""
    g = gateway(manager={"lease_duration": "1m"})
    bed["manager"].snapshot(ns)
    w = running(g, ns, "newer")
    seen = version(g.api.get(LEASE))
    g.api.wait(LEASE, lambda o: version(o) > seen, what="the lease is newer than the copy")
    g.process.p.send_signal(signal.SIGSTOP)
    seen = version(g.api.get(LEASE)) + 100
    bed["manager"].restore(ns)
    if passed:
        outgrow(g, ns, seen)
    g.process.p.send_signal(signal.SIGCONT)
    eventually(lambda: all(c["claim"] == "newer" for c in clusters(g).values()), "the gateway says what it found")
    assert g.api.find(path(ns, "newer")) is None
    eventually(lambda: "in sight of everything" in g.text().rpartition("set back in time")[2], "it sees what the manager holds now")
    wait_policy(g, ns)
    g.api.create(job("later", ns, {RUN: "forever"}))
    eventually(lambda: "set back in time" in g.cli("explain", "job/later", "-n", ns, check=False).stdout, "explain says why it waits")
    assert w.api.get(path(ns, "newer"))["status"]["ready"] == 1, "the copy still runs"
    assert not [x for x in g.workers if x.api.find(path(ns, "later"))]
    g.cli("gc", "--accept-store")
    w.api.wait(path(ns, "newer"), absent, what="what the accepted store does not know goes")
    g.api.wait(path(ns, "later"), count("ready", 1))


def test_two_installations_on_one_worker_do_not_touch_each_other(gateway, ns, bed):
    """The second is refused by the claim of the first, and says so; the first one's copy runs on."""
    g = gateway()
    w = running(g, ns, "mine")
    other = Gateway("offers", g.dir.parent / "second", bed)
    other.dir.mkdir()
    (other.dir / "spillway.yaml").write_text(yaml.safe_dump(other.settings()))
    other.start()
    try:
        rows = eventually(lambda: [c for c in json.loads(other.cli("clusters", "-o", "json")) if "claimed by installation" in c.get("why", "")], "the second says whose it is")
        assert {c["name"] for c in rows} <= {x.name for x in g.workers}
        assert w.api.get(path(ns, "mine"))["status"]["ready"] == 1
    finally:
        other.stop()
    finish_all(w.api, ns, "mine")
    g.api.wait(path(ns, "mine"), lambda o: condition(o, "Complete"))


def test_a_standby_takes_over_from_a_leader_that_is_stopped(gateway, ns, bed):
    """SIGSTOP for longer than the lease: the standby leads; continued, the old one sees it and ends instead of writing."""
    g = gateway(manager={"lease_duration": "2s"})
    standby = Gateway("mirror", g.dir.parent / "standby", bed)
    standby.dir.mkdir()
    text = (g.dir / "spillway.yaml").read_text().replace(str(g.dir), str(standby.dir))
    (standby.dir / "spillway.yaml").write_text(text)
    standby.start(wait=False)
    try:
        w = running(g, ns, "relay")
        standby.process.wait_for("standing by")
        for words in (("cluster", "list"), ("cluster", "drain", w.name), ("queue",)):
            asked = standby.cli(*words, check=False)
            assert asked.returncode == 1 and "this gateway stands by" in asked.stderr and "leads. Ask it" in asked.stderr, asked
        g.process.p.send_signal(signal.SIGSTOP)
        standby.process.wait_for("leading")
        eventually(lambda: standby.cli("cluster", "list", check=False).returncode == 0, "it answers now that it leads")
        finish_all(w.api, ns, "relay")
        g.api.wait(path(ns, "relay"), lambda o: condition(o, "Complete"))
        gone_everywhere(g, ns, "relay")
        g.process.p.send_signal(signal.SIGCONT)
        assert eventually(lambda: g.process.p.poll() is not None, "the old leader ends") is True
    finally:
        standby.stop()
