# SPDX-License-Identifier: Apache-2.0
"""Mirror role with what a worker's Kueue and scheduler decide beyond quota: places in a topology, nodes that are provisioned first, devices
that pods claim; and elastic jobs, which are refused."""
import pytest

from conftest import lead_to_own, remove_own_queues, wait_policy
from jobs import RUN, condition, count, finish_all, gone_everywhere, holder, job, path, pods
from kinds import KINDS
from mirrored import KUEUE, check, evictions, only, queue, state, wait_workload, workload_of, workload_path, workloads
from process import eventually

HOST = "kubernetes.io/hostname"
DEVICE, CLASS = "example.com/device", "device.example.com"  # Kueue's name for it: deviceClassMappings in site.yaml
DEVICES = "/apis/resource.k8s.io/v1"
AUTOSCALING = "/apis/autoscaling.x-k8s.io/v1"


@pytest.fixture
def own_queues(mirror, ns):
    """own_queues(manager={resource: quota}, workers={name: {resource: quota}}, flavor=, checks=): ClusterQueues of the test's own,
    flavor and checks on the workers; gone after the test."""
    def make(manager, workers, flavor="default", checks=()):
        every = [(mirror.api, manager, ("spillway",), "default"), *((w.api, workers[w.name], checks, flavor) for w in mirror.workers)]
        for api, quotas, names, of in every:
            queue(api, ns, quotas, names, of)
            lead_to_own(mirror, api, ns)
        wait_policy(mirror, ns)

    yield make
    remove_own_queues(mirror, ns)


def assignment(workload):
    return workload["status"]["admission"]["podSetAssignments"][0]


def ends_well(g, ns, name):
    finish_all(holder(g, ns, name).api, ns, name)
    g.api.wait(path(ns, name), lambda o: condition(o, "Complete"))
    gone_everywhere(g, ns, name)


# ---- topology ---------------------------------------------------------------------------

def topology(g):
    """The flavor `tas` on the workers: their nodes, with the level hostname. The manager has neither it nor a Topology."""
    for w in g.workers:
        w.api.apply([{"apiVersion": KUEUE, "kind": "Topology", "metadata": {"name": "hosts"}, "spec": {"levels": [{"nodeLabel": HOST}]}},
                     {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": "tas"}, "spec": {"nodeLabels": {"kubernetes.io/os": "linux"}, "topologyName": "hosts"}}])


@pytest.mark.parametrize("asked, pods_of, workers", [
    ("required", 2, {"w1": 8, "w2": 8}),
    ("preferred", 1, {"w1": 2, "w2": 1}),
    ("implicit", 2, {"w1": 8, "w2": 8}),
])
def test_a_topology_is_assigned_by_the_worker_that_runs_the_job(mirror, ns, own_queues, asked, pods_of, workers):
    """The manager's Kueue holds plain quota; the request reaches the worker whole. preferred: only w1 has room for 1500m."""
    topology(mirror)
    own_queues({"cpu": 8}, {w: {"cpu": n} for w, n in workers.items()}, "tas")
    notes = {RUN: "forever"} | ({} if asked == "implicit" else {f"kueue.x-k8s.io/podset-{asked}-topology": HOST})
    mirror.api.create(job("tas", ns, notes, parallelism=pods_of, completions=pods_of, resources={"cpu": "1500m" if pods_of == 1 else "500m"}))
    at = wait_workload(mirror, ns, "tas", lambda o: condition(o, "Admitted"))
    w = holder(mirror, ns, "tas")
    assert at["status"]["clusterName"] == w.name and (asked != "preferred" or w.name == "w1")
    assert "delayedTopologyRequest" not in assignment(at) and "topologyAssignment" not in assignment(at)
    offered = only(workloads(w.api, ns), "mirror")
    request = offered["spec"]["podSets"][0].get("topologyRequest", {})
    assert request.get("podIndexLabel") and {k: v for k, v in request.items() if k != "podIndexLabel"} == ({} if asked == "implicit" else {asked: HOST})
    assert assignment(offered)["topologyAssignment"]["levels"] == [HOST]
    mirror.api.wait(path(ns, "tas"), count("ready", pods_of))
    nodes = {p["spec"]["nodeName"] for p in pods(w.api, ns, "tas")}
    assert len(nodes) == 1, "one host has room for all, so it is the one"
    ends_well(mirror, ns, "tas")


# ---- ProvisioningRequests -----------------------------------------------------------------

def provisioning(g):
    """The check `provisioning` on the workers: their Kueue asks for nodes by a ProvisioningRequest once a Workload has quota."""
    for w in g.workers:
        w.api.apply([{"apiVersion": KUEUE, "kind": "ProvisioningRequestConfig", "metadata": {"name": "provisioning"}, "spec": {"provisioningClassName": "test.example.com"}},
                     {"apiVersion": KUEUE, "kind": "AdmissionCheck", "metadata": {"name": "provisioning"}, "spec": {
                         "controllerName": "kueue.x-k8s.io/provisioning-request", "parameters": {"apiGroup": "kueue.x-k8s.io", "kind": "ProvisioningRequestConfig", "name": "provisioning"}}}])


def requested(w, ns):
    """The worker's ProvisioningRequest for the one job."""
    return eventually(lambda: w.api.get(f"{AUTOSCALING}/namespaces/{ns}/provisioningrequests")["items"], f"Kueue on {w.name} asks for nodes")[0]


def autoscaler_says(w, ns, kind, message=""):
    """What the cluster autoscaler would write."""
    name = requested(w, ns)["metadata"]["name"]
    where = f"{AUTOSCALING}/namespaces/{ns}/provisioningrequests/{name}"
    conditions = [*(w.api.get(where).get("status") or {}).get("conditions", []),
                  {"type": kind, "status": "True", "reason": kind, "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    w.api.patch(f"{where}/status", {"status": {"conditions": conditions}})


def test_the_worker_whose_nodes_are_provisioned_first_wins(mirror, ns, own_queues):
    """Both have reserved quota and ask their autoscalers: neither has won, and none is told to stop, until one has admitted the job."""
    provisioning(mirror)
    own_queues({"cpu": 8}, {"w1": {"cpu": 8}, "w2": {"cpu": 8}}, checks=("provisioning",))
    mirror.api.create(job("prov", ns, {RUN: "forever"}))
    w1, w2 = mirror.workers
    requested(w1, ns)
    autoscaler_says(w1, ns, "Accepted", "w1 looks for nodes")
    autoscaler_says(w2, ns, "Accepted", "w2 looks for nodes")
    name = workload_of(mirror.api, ns, "prov")["metadata"]["name"]
    for w in mirror.workers:
        at = w.api.wait(workload_path(ns, name), lambda o: o and condition(o, "QuotaReserved") and o, what=f"{w.name} has reserved quota")
        assert not condition(at, "Admitted") and not w.api.find(path(ns, "prov"))
    at = mirror.api.get(workload_path(ns, name))
    assert state(at) == "Pending" and not at["status"].get("clusterName")
    autoscaler_says(w2, ns, "Provisioned")
    at = wait_workload(mirror, ns, "prov", lambda o: condition(o, "Admitted"))
    assert at["status"]["clusterName"] == "w2" and evictions(at) == 0
    assert state(w2.api.get(workload_path(ns, name)), "provisioning") == "Ready"
    w1.api.wait(workload_path(ns, name), lambda o: o is None, what="the other's offer is withdrawn, and its request with it")
    mirror.api.wait(path(ns, "prov"), count("ready", 1))
    ends_well(mirror, ns, "prov")


# ---- devices (dynamic resource allocation) ---------------------------------------------------

def claim_template(api, ns, name, devices):
    api.create({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate", "metadata": {"name": name, "namespace": ns}, "spec": {"spec": {
        "devices": {"requests": [{"name": "device", "exactly": {"deviceClassName": CLASS, "count": devices}}]}}}})


def driver(g):
    """What a driver would publish: the class, and eight devices of the node cpu-0 of each worker."""
    for w in g.workers:
        w.api.apply([
            {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": CLASS}, "spec": {"selectors": [{"cel": {"expression": f"device.driver == '{CLASS}'"}}]}},
            {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "cpu-0-devices"}, "spec": {
                "driver": CLASS, "nodeName": "cpu-0", "pool": {"name": "cpu-0", "generation": 1, "resourceSliceCount": 1}, "devices": [{"name": f"d{i}"} for i in range(8)]}}])


def claiming(name, ns, template, **spec):
    j = job(name, ns, {RUN: "forever"}, resources={"cpu": "200m"}, **spec)
    pod = j["spec"]["template"]["spec"]
    pod["resourceClaims"] = [{"name": "device", "resourceClaimTemplateName": template}]
    pod["containers"][0]["resources"]["claims"] = [{"name": "device"}]
    return j


QUOTA = {"cpu": 8, DEVICE: 8}


@pytest.mark.parametrize("templates, pods_of, where", [
    ({"w1": 2, "w2": 3}, 1, ("w1", "w2")),
    ({"w1": 1}, 1, ("w1",)),
    ({"w2": 1}, 1, ("w2",)),
    ({"w1": 1, "w2": 1}, 2, ("w1", "w2")),
], ids=["everywhere", "only-on-w1", "only-on-w2", "two-pods"])
def test_a_job_that_claims_devices_runs_where_its_claim_template_is(mirror, ns, own_queues, templates, pods_of, where):
    """Each worker counts by its own template. One without it is never offered the job."""
    driver(mirror)
    own_queues(QUOTA, {"w1": QUOTA, "w2": QUOTA})
    claim_template(mirror.api, ns, "some", 1)
    for w in mirror.workers:
        if w.name in templates:
            claim_template(w.api, ns, "some", templates[w.name])
    mirror.api.create(claiming("dra", ns, "some", parallelism=pods_of, completions=pods_of))
    at = wait_workload(mirror, ns, "dra", lambda o: condition(o, "Admitted"))
    assert assignment(at)["resourceUsage"][DEVICE] == str(pods_of)
    w = holder(mirror, ns, "dra")
    assert w.name in where and w.name == at["status"]["clusterName"]
    offered = assignment(only(workloads(w.api, ns), "mirror"))
    assert offered["resourceUsage"][DEVICE] == str(pods_of * templates[w.name]) and offered["count"] == pods_of
    mirror.api.wait(path(ns, "dra"), count("ready", pods_of))
    claims = w.api.get(f"{DEVICES}/namespaces/{ns}/resourceclaims")["items"]
    assert len(claims) == pods_of and all(len(c["status"]["allocation"]["devices"]["results"]) == templates[w.name] for c in claims)
    ends_well(mirror, ns, "dra")


def test_a_job_whose_claim_template_is_on_no_worker_waits_and_says_so(mirror, ns, own_queues):
    """Nothing is sent anywhere; it goes where the template appears."""
    driver(mirror)
    own_queues(QUOTA, {"w1": QUOTA, "w2": QUOTA})
    claim_template(mirror.api, ns, "some", 1)
    mirror.api.create(claiming("dra", ns, "some"))
    missing = f"ResourceClaimTemplate {ns}/some does not exist there"
    at = wait_workload(mirror, ns, "dra", lambda o: check(o) and check(o)["message"].count(missing) > 1, "the check says what is missing on both")
    assert state(at) == "Pending" and not at["status"].get("nominatedClusterNames") and not any(workloads(w.api, ns) for w in mirror.workers)
    claim_template(mirror.workers[1].api, ns, "some", 1)
    at = wait_workload(mirror, ns, "dra", lambda o: condition(o, "Admitted"))
    assert at["status"]["clusterName"] == mirror.workers[1].name
    ends_well(mirror, ns, "dra")


# ---- elastic jobs ---------------------------------------------------------------------------------

def test_an_elastic_job_is_refused_before_dispatch_with_the_reason(mirror, ns):
    """Its Workload is replaced by another one when it grows, which a check that is not Kueue's own cannot hand over."""
    mirror.api.create(job("grows", ns, {RUN: "forever"}, annotations={"kueue.x-k8s.io/elastic-job": "true"}))
    at = wait_workload(mirror, ns, "grows", lambda o: state(o) == "Rejected" and o["spec"].get("active") is False)
    assert "is elastic" in check(at)["message"] and not at["status"].get("nominatedClusterNames")
    assert not any(workloads(w.api, ns) for w in mirror.workers)
    eventually(lambda: [e for e in mirror.api.get(f"/api/v1/namespaces/{ns}/events")["items"] if "is elastic" in e.get("message", "")], "an event says why")


def grow(g, ns, name, kind):
    """To two pods; of a JobSet, two jobs more."""
    if not kind:
        return g.api.patch(path(ns, name), {"spec": {"parallelism": 2}})
    sets = g.api.get(kind.path(ns, name))["spec"]["replicatedJobs"]
    sets[0]["replicas"] += 2
    return g.api.patch(kind.path(ns, name), {"spec": {"replicatedJobs": sets}})


def ready(obj):
    status = (obj or {}).get("status") or {}
    return status.get("ready") or (status.get("replicatedJobsStatus") or [{}])[0].get("ready")


@pytest.mark.parametrize("kind", ["Job", "JobSet"])
def test_a_job_that_is_given_another_size_starts_anew(mirror, ns, kind):
    """Without that annotation: Kueue stops it and makes another Workload once nothing runs; the job is dispatched again."""
    k = KINDS.get(kind)
    plural, group = (k.plural, k.group) if k else ("jobs", "batch/v1")
    mirror.api.create(k.make("resized", ns) if k else job("resized", ns, {RUN: "forever"}, completions=2))
    first = holder(mirror, ns, "resized", plural, group)
    if k:
        first.api.patch(k.path(ns, "resized") + "/status", {"status": k.running})
    before = first.api.get(path(ns, "resized", plural, group))
    mirror.api.wait(path(ns, "resized", plural, group), ready, what="its status comes home")
    size = wait_workload(mirror, ns, "resized", lambda o: condition(o, "Admitted"))["spec"]["podSets"][0]["count"]
    grow(mirror, ns, "resized", k)
    bigger = wait_workload(mirror, ns, "resized", lambda o: o["spec"]["podSets"][0]["count"] > size and condition(o, "Admitted"), "quota for the new size")

    def again():
        found = [w.api.find(path(ns, "resized", plural, group)) for w in mirror.workers if w.name == bigger["status"]["clusterName"]]
        return found and found[0] and found[0]["metadata"]["uid"] != before["metadata"]["uid"] and found[0]

    copy = eventually(again, "a new copy")
    assert copy["spec"].get("parallelism") == 2 if not k else copy["spec"]["replicatedJobs"][0]["replicas"] == before["spec"]["replicatedJobs"][0]["replicas"] + 2
    if not k:
        mirror.api.wait(path(ns, "resized"), count("ready", 2))
        ends_well(mirror, ns, "resized")


def test_a_workload_that_somebody_deletes_is_made_again_and_its_job_dispatched_again(mirror, ns):
    mirror.api.create(job("again", ns, {RUN: "forever"}))
    mirror.api.wait(path(ns, "again"), count("ready", 1))
    first = holder(mirror, ns, "again").api.get(path(ns, "again"))["metadata"]["uid"]
    old = workload_of(mirror.api, ns, "again")["metadata"]
    mirror.api.delete(workload_path(ns, old["name"]))
    mirror.api.wait(workload_path(ns, old["name"]), lambda o: o and o["metadata"]["uid"] != old["uid"] and condition(o, "Admitted"), what="another one is admitted")
    mirror.api.wait(path(ns, "again"), count("ready", 1))
    assert holder(mirror, ns, "again").api.get(path(ns, "again"))["metadata"]["uid"] != first
    ends_well(mirror, ns, "again")
