# SPDX-License-Identifier: Apache-2.0
"""The nominate role: Kueue's own MultiKueue mirrors, the gateway says where to, with the rights of config/kubernetes/nominate.

Clusters of its own, as the manager's Kueue must have an external dispatcher and all of them must know pods: nm, n1, n2.
"""
import base64
import json
import os
import shutil
import signal
import time

import pytest

from conftest import add_namespace
from gateway import Gateway
from jobs import QUEUE, RUN, condition, ended, finish, job, path, pod_template
from mirrored import stop_queue
from process import BUILD, eventually, run
from test_docs import sections, tools, walk  # noqa: F401  (tools: a fixture)

pytestmark = pytest.mark.alone("other")
KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
PODS = {"frameworks": ["pod"]}
NODES = [{"name": "cpu", "count": 2, "cpu": "64", "memory": "256Gi"}]
MANAGER = {"name": "nm", "kueue": "kueue", "controllers": False, **PODS, "kueue_config": {"multiKueue": {"dispatcherName": "spillway.dev/dispatcher"}},
           "manifests_late": ["config/kubernetes/nominate", "tests/kubernetes/objects/manager-queues.yaml"], "service_account": "spillway-system/spillway"}
WORKERS = [{"name": n, "kueue": "kueue", **PODS, "pods": True, "nodes": NODES, "manifests_late": ["config/kubernetes/worker/nominate", "tests/kubernetes/objects/worker-queues.yaml"],
            "service_account": "spillway-system/spillway"} for n in ("n1", "n2")]
EVERYWHERE = "function place(w, candidates, ctx) return { { candidates = candidates, patience = 3600 } } end\n"
# n1 first; n2 is added when n1 has had its time
ONE_BY_ONE = """function place(w, candidates, ctx)
  local steps = {}
  for _, name in ipairs({"n1", "n2"}) do
    local step = {}
    for _, c in ipairs(candidates) do if c.cluster == name then step[#step + 1] = c end end
    if #step > 0 then steps[#steps + 1] = { candidates = step, patience = %d } end
  end
  return steps
end
"""
POLICY_MAP = "config/components/map/manifests.yaml"


class Nominator(Gateway):
    """A gateway in the nominate role; it knows the workers from its own configuration too."""

    def __init__(self, where, bed):
        self.kind, self.dir, self.bed = "nominate", where, bed
        self.workers, self.manager = [bed["n1"], bed["n2"]], None
        self.process = None

    def settings(self):
        return {"data_dir": str(self.dir / "data"), "listen": "127.0.0.1:0", "log": {"level": "debug"},
                "manager": {"role": "nominate", "kubeconfig": str(self.bed["nm"].account)}, "policy": {"file": str(self.dir / "policy.lua")},
                "clusters": [{"name": w.name, "kubeconfig": str(w.account), "worker": "kueue"} for w in self.workers]}

    def make(self, policy, **over):
        self.dir.mkdir(parents=True, exist_ok=True)
        super().make(**over)
        (self.dir / "policy.lua").write_text(policy)
        return self

    def start(self):
        super().start(wait=False)
        self.process.wait_for("nominations are written")
        return self


@pytest.fixture(scope="module")
def site(request):
    """The three clusters, with MultiKueue on the manager."""
    request.config.shared.stop()
    bed = request.config.bed
    added = [spec for spec in [MANAGER, *WORKERS] if spec["name"] not in bed.clusters]
    for spec in added:
        bed.add_cluster(spec)
    v = "kueue.x-k8s.io/v1beta2"
    api = bed["nm"].api
    for w in WORKERS:
        config = base64.b64encode(bed[w["name"]].kubeconfig.read_bytes()).decode()
        api.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": w["name"], "namespace": "kueue-system"}, "data": {"kubeconfig": config}},
                   {"apiVersion": v, "kind": "MultiKueueCluster", "metadata": {"name": w["name"]}, "spec": {"clusterSource": {"kubeConfig": {"locationType": "Secret", "location": w["name"]}}}}])
    api.apply([{"apiVersion": v, "kind": "MultiKueueConfig", "metadata": {"name": "all"}, "spec": {"clusters": ["n1", "n2"]}},
               {"apiVersion": v, "kind": "AdmissionCheck", "metadata": {"name": "mk"},
                "spec": {"controllerName": "kueue.x-k8s.io/multikueue", "parameters": {"apiGroup": "kueue.x-k8s.io", "kind": "MultiKueueConfig", "name": "all"}}}])
    for w in WORKERS:
        api.wait(f"{KUEUE}/multikueueclusters/{w['name']}", lambda o: condition(o, "Active"))
    yield bed
    for spec in added:
        bed.remove_cluster(spec["name"])


def cluster_queue(name, cpu, checks=()):
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ClusterQueue", "metadata": {"name": name}, "spec": {
        "namespaceSelector": {}, "admissionChecksStrategy": {"admissionChecks": [{"name": c} for c in checks]} if checks else None,
        "resourceGroups": [{"coveredResources": ["cpu", "memory"], "flavors": [
            {"name": "default", "resources": [{"name": "cpu", "nominalQuota": str(cpu)}, {"name": "memory", "nominalQuota": "1Ti"}]}]}]}}


def give(bed, name, ns, cpu):
    q = cluster_queue(ns, cpu)
    del q["spec"]["admissionChecksStrategy"]
    bed[name].api.apply(q)


@pytest.fixture
def room(site, ns):
    """The test's namespace and queue on all three; no quota on the workers yet."""
    site["nm"].api.apply(cluster_queue(ns, 100, ["mk"]))
    for w in WORKERS:
        give(site, w["name"], ns, 0)
    for name in ("nm", "n1", "n2"):
        add_namespace(site[name].api, ns, ns)
    for name in ("nm", "n1", "n2"):  # a worker whose queue is not open yet is no candidate
        site[name].api.wait(f"{KUEUE}/namespaces/{ns}/localqueues/lq", lambda o: condition(o, "Active"))
    yield site
    for name in ("nm", "n1", "n2"):
        site[name].api.delete(f"{KUEUE}/clusterqueues/{ns}")


@pytest.fixture
def nominator(site, tmp_path):
    made = []

    def start(policy, **over):
        made.append(Nominator(tmp_path / f"gateway{len(made)}", site).make(policy, **over).start())
        return made[-1]

    yield start
    for g in made:
        g.stop()


def workload(bed, ns):
    return eventually(lambda: bed["nm"].api.get(f"{KUEUE}/namespaces/{ns}/workloads")["items"][:1], "a Workload on the manager")[0]


def nominated(bed, ns):
    return workload(bed, ns).get("status", {}).get("nominatedClusterNames") or []


def placed(bed, ns):
    return workload(bed, ns).get("status", {}).get("clusterName")


def mirrors(bed, name, ns):
    return bed[name].api.get(f"{KUEUE}/namespaces/{ns}/workloads")["items"]


def manager_job(name, ns, **spec):
    made = job(name, ns, {RUN: "forever"}, **spec)
    made["spec"]["managedBy"] = "kueue.x-k8s.io/multikueue"
    return made


def test_a_job_runs_where_its_own_queue_admits_it_first(room, ns, nominator):
    nominator(EVERYWHERE)
    room["nm"].api.create(manager_job("pi", ns))
    eventually(lambda: sorted(nominated(room, ns)) == ["n1", "n2"], "both are nominated")
    for name in ("n1", "n2"):
        eventually(lambda: mirrors(room, name, ns), f"a mirror on {name}")
    give(room, "n2", ns, 10)
    eventually(lambda: placed(room, ns) == "n2", "Kueue names the winner")
    eventually(lambda: condition(workload(room, ns), "Admitted"), "the manager admits it")
    assert not nominated(room, ns), "Kueue cleared the nomination itself"
    finish_on(room, "n2", ns, "pi")


def finish_on(bed, name, ns, job_name):
    bed[name].api.wait(path(ns, job_name), lambda o: o and (o.get("status") or {}).get("active") == 1)
    finish(bed[name].api, ns, job_name)
    bed["nm"].api.wait(path(ns, job_name), lambda o: condition(o, "Complete"))


def test_the_write_repeats_what_kueue_owns_so_that_quota_stays(room, ns, nominator):
    room["nm"].api.create(manager_job("pi", ns))
    eventually(lambda: condition(workload(room, ns), "QuotaReserved"), "quota on the manager")
    before = workload(room, ns)
    nominator(EVERYWHERE)
    eventually(lambda: nominated(room, ns), "nominated")
    after = workload(room, ns)
    assert after["status"]["admission"] == before["status"]["admission"]
    assert condition(after, "QuotaReserved") == condition(before, "QuotaReserved")
    assert [c["name"] for c in after["status"]["admissionChecks"]] == ["mk"]


def test_clusters_are_added_round_by_round_and_none_is_taken_back(room, ns, nominator):
    nominator(ONE_BY_ONE % 5)
    room["nm"].api.create(manager_job("pi", ns))
    eventually(lambda: nominated(room, ns) == ["n1"], "the first round")
    assert not mirrors(room, "n2", ns)
    eventually(lambda: nominated(room, ns) == ["n1", "n2"], "the second round", 30)
    give(room, "n1", ns, 10)
    eventually(lambda: placed(room, ns) == "n1", "a cluster of an earlier round may still win")
    finish_on(room, "n1", ns, "pi")


def test_a_restart_goes_on_with_the_round_it_was_in(room, ns, nominator):
    g = nominator(ONE_BY_ONE % 12)
    room["nm"].api.create(manager_job("pi", ns))
    eventually(lambda: nominated(room, ns) == ["n1"], "the first round")
    began = time.monotonic()
    time.sleep(6)
    g.stop(signal.SIGKILL)
    g.start()
    again = time.monotonic()
    eventually(lambda: nominated(room, ns) == ["n1", "n2"], "the second round", 40)
    now = time.monotonic()
    assert now - began > 10, "the round had its time (the API server's clock has whole seconds)"
    assert now - again < 12, "it was not begun again"


def test_a_pod_is_mirrored_like_any_job(room, ns, nominator):
    nominator(EVERYWHERE)
    give(room, "n1", ns, 10)
    room["nm"].api.create(pod("alone", ns))
    eventually(lambda: placed(room, ns) == "n1", "placed")
    eventually(lambda: (room["n1"].api.find(f"/api/v1/namespaces/{ns}/pods/alone") or {}).get("status", {}).get("phase") == "Running", "it runs on n1")


def pod(name, ns, **labels):
    template = pod_template({RUN: "forever", **labels.pop("notes", {})})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": ns, "labels": {QUEUE: "lq", **labels}, "annotations": template["metadata"]["annotations"]},
            "spec": template["spec"]}


def test_a_group_of_pods_goes_to_one_cluster(room, ns, nominator):
    nominator(EVERYWHERE)
    for i in range(3):
        one = pod(f"g-{i}", ns, **{"kueue.x-k8s.io/pod-group-name": "g"})
        one["metadata"]["annotations"]["kueue.x-k8s.io/pod-group-total-count"] = "3"
        room["nm"].api.create(one)
    eventually(lambda: sorted(nominated(room, ns)) == ["n1", "n2"], "both are nominated")
    give(room, "n2", ns, 10)
    eventually(lambda: placed(room, ns) == "n2", "placed")
    eventually(lambda: len(room["n2"].api.get(f"/api/v1/namespaces/{ns}/pods")["items"]) == 3, "three pods on n2")
    assert not room["n1"].api.get(f"/api/v1/namespaces/{ns}/pods")["items"]


def test_with_the_policy_that_clears_nominations_a_plain_patch_is_used(room, ns, nominator):
    from testbed import sources
    objects = sources.read_all(sources.kueue_dir("kueue") / POLICY_MAP)
    api = room["nm"].api
    api.apply(objects)
    # Who may look whether it is there: config/kubernetes/nominate does not say so.
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "sees-policies"}, "rules": [
        {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"], "verbs": ["get"]}]}
    bound = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "sees-policies"},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "sees-policies"},
             "subjects": [{"kind": "ServiceAccount", "name": "spillway", "namespace": "spillway-system"}]}
    api.apply([role, bound])
    try:
        g = nominator(EVERYWHERE)
        assert "way=patch" in g.text()
        give(room, "n1", ns, 10)
        api.create(manager_job("pi", ns))
        eventually(lambda: placed(room, ns) == "n1", "placed")
        eventually(lambda: condition(workload(room, ns), "Admitted"), "admitted")
        assert not nominated(room, ns)
    finally:
        for o in objects:
            api.delete(f"/apis/admissionregistration.k8s.io/v1/{o['kind'].lower().replace('policy', 'policies').replace('policiesbinding', 'policybindings')}/{o['metadata']['name']}")


def test_an_eviction_on_the_worker_begins_anew(room, ns, nominator):
    nominator(EVERYWHERE)
    give(room, "n1", ns, 10)
    room["nm"].api.create(manager_job("pi", ns))
    eventually(lambda: placed(room, ns) == "n1", "placed")
    room["n1"].api.wait(path(ns, "pi"), lambda o: o and (o.get("status") or {}).get("active") == 1)
    give(room, "n2", ns, 10)
    stop_queue(room["n1"].api, ns)  # a mirror whose spec is changed (active: false) Kueue may take for one out of sync, and make it anew
    eventually(lambda: placed(room, ns) == "n2", "it was nominated anew and went to n2", 60)


def test_what_it_knows_is_shown(room, ns, nominator):
    g = nominator(EVERYWHERE)
    room["nm"].api.create(manager_job("pi", ns))
    eventually(lambda: nominated(room, ns), "nominated")
    from testbed.api import Api
    own = Api(g.kubeconfig)
    row = eventually(lambda: [r for r in own.get("/spillway/v1/nominations")["items"] if r["workload"].startswith(ns)], "a row")[0]
    assert sorted(row["nominated"]) == ["n1", "n2"] and row["way"] == "apply"
    sight = {"n1": (True, True), "n2": (True, True)}
    eventually(lambda: {c["name"]: (c["active"], c["in_sight"]) for c in own.get("/spillway/v1/clusters")["items"]} == sight, "both in sight")


def test_a_user_sees_why_a_job_waits_and_what_was_decided(room, ns, nominator):
    g, nm = nominator(ONE_BY_ONE % 3600), room["nm"].api
    nm.create(manager_job("pi", ns))
    eventually(lambda: nominated(room, ns) == ["n1"], "the first round")
    eventually(lambda: json.loads(g.cli("explain", "job/pi", "-n", ns, "-o", "json"))["candidates"][1]["pool"] == "cpu", "the second worker is in sight, too")
    x = json.loads(g.cli("explain", "job/pi", "-n", ns, "-o", "json"))
    assert x["plan"] == "n1; after 60m also n2" and x["nominated"] == ["n1"] and "have time left" in x["now"]
    assert [(c["cluster"], c["pool"], c["step"], c["verdict"]) for c in x["candidates"]] == [("n1", "cpu", 1, "nominated"), ("n2", "cpu", 2, "later")]
    shown = g.cli("explain", "job/pi", "-n", ns)
    assert "Placing" in shown and "its own queue may admit the job at any moment" in shown
    assert "have time left" in g.cli("queue") and [c["state"] for c in json.loads(g.cli("cluster", "list", "-o", "json"))] == ["Ready", "Ready"]
    lost = g.cli("explain", "job/nix", "-n", ns, check=False)
    assert lost.returncode == 1 and "does not wait for a cluster" in lost.stderr

    def said():
        return [e for e in nm.get(f"/api/v1/namespaces/{ns}/events")["items"] if e.get("source", {}).get("component") == "spillway"]

    (event,) = eventually(said, "an event")
    assert (event["reason"], event["involvedObject"]["kind"], event["involvedObject"]["name"]) == ("Nominated", "Job", "pi") and event["message"].startswith("n1 may run it")
    (recorded,) = [json.loads(line) for line in eventually(lambda: (g.dir / "data" / "decisions.jsonl").exists() and (g.dir / "data" / "decisions.jsonl").read_text(), "a record").splitlines()]
    assert recorded["workload"]["name"] == "pi" and [c["cluster"] for c in recorded["candidates"]] == ["n1", "n2"] and len(recorded["plan"]["steps"]) == 2

    nm.patch(f"{KUEUE}/multikueueconfigs/all", {"spec": {"clusters": ["n1", "n9"]}})
    try:
        eventually(lambda: {c["cluster"]: c["verdict"] for c in json.loads(g.cli("explain", "job/pi", "-n", ns, "-o", "json"))["candidates"]} == {"n1": "nominated", "n9": "out"}, "one that is not there is out")
    finally:
        nm.patch(f"{KUEUE}/multikueueconfigs/all", {"spec": {"clusters": ["n1", "n2"]}})


def test_doctor_asks_workers_for_the_right_to_look_and_no_more(room, nominator):
    g = nominator(EVERYWHERE)
    done = run(BUILD / "spillway", "doctor", "--config", g.dir / "spillway.yaml", "-o", "json", check=False)
    found = json.loads(done.stdout)
    workers = [r for r in found if r["cluster"] in ("n1", "n2")]
    assert {(r["cluster"], r["level"]) for r in workers if r["check"] == "rights"} == {("n1", "ok"), ("n2", "ok")}, workers
    assert {r["check"] for r in workers} >= {"in reach", "queues", "nodes"} and not any(r["check"] == "claim" for r in workers), "nothing is claimed there"
    assert [r["level"] for r in found if r["check"] == "nomination"] == ["ok"] or any("kueue-manager-config" in r["found"] for r in found), found


@pytest.mark.skipif(not os.environ.get("KUBECTL"), reason="no kubectl")
def test_the_page_leads_to_a_job_that_multikueue_sends_where_spillway_says(site, tools):  # noqa: F811
    """docs/kueue.md, section Nominate."""
    shutil.copy(site["nm"].kubeconfig, tools / "manager.kubeconfig")
    for name in ("nm", *(w["name"] for w in WORKERS)):
        q = cluster_queue("spillway", 100, ["mk"] if name == "nm" else ())
        if name != "nm":
            del q["spec"]["admissionChecksStrategy"]
        site[name].api.apply([q, {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": "spillway", "namespace": "default"}, "spec": {"clusterQueue": "spillway"}}])
    walk(tools, sections()["Nominate"])
