# SPDX-License-Identifier: Apache-2.0
"""What tests of the mirror role ask and do on both sides: Workloads, queues of their own, evictions."""
from jobs import condition
from process import eventually

KUEUE = "kueue.x-k8s.io/v1beta2"
ORIGIN = "spillway.dev/origin"


def workloads(api, ns):
    return api.get(f"/apis/{KUEUE}/namespaces/{ns}/workloads")["items"]


def workload_path(ns, name):
    return f"/apis/{KUEUE}/namespaces/{ns}/workloads/{name}"


def workload_of(api, ns, job):
    """The Workload that Kueue made on the manager for the job of this name."""
    def find():
        return [w for w in workloads(api, ns) if any(o["name"] == job for o in w["metadata"].get("ownerReferences", []))]

    return eventually(find, f"Kueue makes a Workload of {ns}/{job}")[0]


def check(workload, name="spillway"):
    return next((c for c in (workload.get("status") or {}).get("admissionChecks", []) if c["name"] == name), None)


def state(workload, name="spillway"):
    c = check(workload, name) if workload else None
    return c and c["state"]


def wait_workload(g, ns, job, test, what=None):
    """Waits for the manager's Workload of the job; returns it."""
    name = workload_of(g.api, ns, job)["metadata"]["name"]
    return g.api.wait(workload_path(ns, name), lambda o: o and test(o) and o, what=what)


def evictions(workload):
    return sum(e["count"] for e in ((workload.get("status") or {}).get("schedulingStats") or {}).get("evictions", []))


def events(g, ns, reason):
    """What the manager's events with this reason say, in one text."""
    return " | ".join(e["message"] for e in g.api.get(f"/api/v1/namespaces/{ns}/events")["items"] if e["reason"] == reason)


def queue(api, name, resources, checks=(), flavor="default", **spec):
    """A ClusterQueue with one flavor and these quotas."""
    body = {"namespaceSelector": {}, **spec, "resourceGroups": [{"coveredResources": list(resources), "flavors": [
        {"name": flavor, "resources": [{"name": k, "nominalQuota": str(v)} for k, v in resources.items()]}]}]}
    if checks:
        body["admissionChecksStrategy"] = {"admissionChecks": [{"name": c} for c in checks]}
    api.apply({"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": name}, "spec": body})
    api.wait(f"/apis/{KUEUE}/clusterqueues/{name}", lambda o: condition(o, "Active"), what="the ClusterQueue is active")


def other_check(api, name):
    """An AdmissionCheck of somebody else's; the test answers it."""
    api.apply({"apiVersion": KUEUE, "kind": "AdmissionCheck", "metadata": {"name": name}, "spec": {"controllerName": "test.dev/other"}})
    api.patch(f"/apis/{KUEUE}/admissionchecks/{name}/status", {"status": {"conditions": [
        {"type": "Active", "status": "True", "reason": "Active", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})


def queue_of_two_flavors(api, name, cpu):
    """A ClusterQueue where our check covers both flavors and another's, called `name`, only the one that has memory."""
    other_check(api, name)
    api.apply({"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": name}})
    groups = [{"coveredResources": [r], "flavors": [{"name": f, "resources": [{"name": r, "nominalQuota": str(n)}]}]} for r, f, n in (("cpu", "default", cpu), ("memory", name, "100Gi"))]
    checks = [{"name": "spillway", "onFlavors": ["default", name]}, {"name": name, "onFlavors": [name]}]
    api.apply({"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": name}, "spec": {
        "namespaceSelector": {}, "admissionChecksStrategy": {"admissionChecks": checks}, "resourceGroups": groups}})
    api.wait(f"/apis/{KUEUE}/clusterqueues/{name}", lambda o: condition(o, "Active"), what="the ClusterQueue is active")


def set_quota(api, name, **resources):
    path = f"/apis/{KUEUE}/clusterqueues/{name}"
    spec = api.get(path)["spec"]
    for r in spec["resourceGroups"][0]["flavors"][0]["resources"]:
        r["nominalQuota"] = str(resources.get(r["name"], r["nominalQuota"]))
    api.patch(path, {"spec": {"resourceGroups": spec["resourceGroups"]}})


def stop_queue(api, name, policy="HoldAndDrain"):
    """Evicts what the ClusterQueue has admitted, and admits no more."""
    api.patch(f"/apis/{KUEUE}/clusterqueues/{name}", {"spec": {"stopPolicy": policy}})


def only(items, what):
    assert len(items) == 1, f"{what}: {[i['metadata']['name'] for i in items]}"
    return items[0]
