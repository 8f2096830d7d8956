# SPDX-License-Identifier: Apache-2.0
"""Every kind as Kueue counts it: the pod sets of the Workload that a real Kueue makes are those of gateway/kinds.

tests/unit/kinds has the same jobs as rows; here Kueue says what is right.
"""
import pytest

from conftest import add_namespace
from jobs import QUEUE, condition
from process import eventually

KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
MULTIKUEUE = "kueue.x-k8s.io/multikueue"


def template(name="c"):
    return {"spec": {"restartPolicy": "Never", "containers": [{"name": name, "image": "busybox", "resources": {"requests": {"cpu": "100m"}}}]}}


def replicas(n, name):
    return {"replicas": n, "restartPolicy": "Never", "template": template(name)}


def ray(*groups):
    return {"rayVersion": "2.52.0", "headGroupSpec": {"rayStartParams": {}, "template": template("ray-head")},
            "workerGroupSpecs": [{"groupName": n, "replicas": r, "minReplicas": 0, "maxReplicas": 9, "numOfHosts": h, "rayStartParams": {}, "template": template("ray-worker")} for n, r, h in groups]}


# kind: (apiVersion, plural, spec, pod sets in order)
ROWS = {
    "Job": ("batch/v1", "jobs", {"managedBy": MULTIKUEUE, "parallelism": 4, "completions": 2, "template": template()}, [("main", 2)]),
    "JobSet": ("jobset.x-k8s.io/v1alpha2", "jobsets", {"managedBy": MULTIKUEUE, "replicatedJobs": [
        {"name": "leader", "template": {"spec": {"template": template()}}},
        {"name": "workers", "replicas": 3, "template": {"spec": {"parallelism": 4, "completions": 2, "template": template()}}}]}, [("leader", 1), ("workers", 6)]),
    "PyTorchJob": ("kubeflow.org/v1", "pytorchjobs", {"runPolicy": {"managedBy": MULTIKUEUE}, "pytorchReplicaSpecs": {"Worker": replicas(3, "pytorch"), "Master": replicas(1, "pytorch")}},
                   [("master", 1), ("worker", 3)]),
    "TFJob": ("kubeflow.org/v1", "tfjobs", {"runPolicy": {"managedBy": MULTIKUEUE}, "tfReplicaSpecs": {
        t: replicas(n, "tensorflow") for t, n in (("Worker", 4), ("PS", 2), ("Chief", 1), ("Evaluator", 1))}}, [("chief", 1), ("ps", 2), ("worker", 4), ("evaluator", 1)]),
    "PaddleJob": ("kubeflow.org/v1", "paddlejobs", {"runPolicy": {"managedBy": MULTIKUEUE}, "paddleReplicaSpecs": {"Worker": replicas(2, "paddle"), "Master": replicas(1, "paddle")}},
                  [("master", 1), ("worker", 2)]),
    "XGBoostJob": ("kubeflow.org/v1", "xgboostjobs", {"runPolicy": {"managedBy": MULTIKUEUE}, "xgbReplicaSpecs": {"Worker": replicas(2, "xgboost"), "Master": replicas(1, "xgboost")}},
                   [("master", 1), ("worker", 2)]),
    "JAXJob": ("kubeflow.org/v1", "jaxjobs", {"runPolicy": {"managedBy": MULTIKUEUE}, "jaxReplicaSpecs": {"Worker": replicas(8, "jax")}}, [("worker", 8)]),
    "MPIJob": ("kubeflow.org/v2beta1", "mpijobs", {"runPolicy": {"managedBy": MULTIKUEUE}, "mpiReplicaSpecs": {"Worker": replicas(2, "w"), "Launcher": replicas(1, "l")}},
               [("launcher", 1), ("worker", 2)]),
    "TrainJob": ("trainer.kubeflow.org/v1alpha1", "trainjobs", {"managedBy": MULTIKUEUE, "runtimeRef": {"name": "torch"}, "trainer": {"numNodes": 4}}, [("node", 4)]),
    "RayJob": ("ray.io/v1", "rayjobs", {"managedBy": MULTIKUEUE, "shutdownAfterJobFinishes": True, "entrypoint": "true", "rayClusterSpec": ray(("Small", 1, 1))},
               [("head", 1), ("small", 1), ("submitter", 1)]),
    "RayCluster": ("ray.io/v1", "rayclusters", {"managedBy": MULTIKUEUE, **ray(("tpu", 3, 2), ("cpu", 0, 1))}, [("head", 1), ("tpu", 6), ("cpu", 0)]),
}
ROWS["AppWrapper"] = ("workload.codeflare.dev/v1beta2", "appwrappers", {"managedBy": MULTIKUEUE, "components": [{"template": {"apiVersion": ROWS[k][0], "kind": k, "metadata": {"name": k.lower()}, "spec": ROWS[k][2]}}
    for k in ("Job", "JobSet", "PyTorchJob")]}, [("one-0", 2), ("one-1", 1), ("one-2", 6), ("one-3", 1), ("one-4", 3)])


@pytest.fixture
def waiting(bed, ns):
    """A namespace whose queue has a check that nobody serves: quota is held, and the job does not start."""
    v, api = "kueue.x-k8s.io/v1beta2", bed["manager"].api
    api.apply({"apiVersion": v, "kind": "AdmissionCheck", "metadata": {"name": ns}, "spec": {"controllerName": "example.org/nobody"}})
    api.patch(f"{KUEUE}/admissionchecks/{ns}/status", {"status": {"conditions": [
        {"type": "Active", "status": "True", "reason": "Test", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
    api.apply({"apiVersion": v, "kind": "ClusterQueue", "metadata": {"name": ns}, "spec": {
        "namespaceSelector": {}, "admissionChecksStrategy": {"admissionChecks": [{"name": ns}]}, "resourceGroups": [{"coveredResources": ["cpu", "memory"], "flavors": [
            {"name": "default", "resources": [{"name": "cpu", "nominalQuota": "100"}, {"name": "memory", "nominalQuota": "1Ti"}]}]}]}})
    add_namespace(api, ns, ns)
    yield ns
    api.delete(f"/api/v1/namespaces/{ns}")
    api.delete(f"{KUEUE}/clusterqueues/{ns}")
    api.delete(f"{KUEUE}/admissionchecks/{ns}")


@pytest.mark.parametrize("kind", ROWS)
def test_kueue_makes_these_pod_sets(bed, waiting, kind):
    ns, api = waiting, bed["manager"].api
    api_version, _, spec, expected = ROWS[kind]
    if "runPolicy" in spec:
        spec = {**spec, "runPolicy": {**spec["runPolicy"], "suspend": True}}
    else:
        spec = {**spec, "suspend": True}
    api.create({"apiVersion": api_version, "kind": kind, "metadata": {"name": "one", "namespace": ns, "labels": {QUEUE: "lq"}}, "spec": spec})
    made = eventually(lambda: api.get(f"{KUEUE}/namespaces/{ns}/workloads")["items"][:1], "a Workload")[0]
    assert [(s["name"], s["count"]) for s in made["spec"]["podSets"]] == expected
    assert made["metadata"]["ownerReferences"][0]["apiVersion"] == api_version


# kind: a status as its operator writes it while it runs, and the same with nothing active: what `idle` of its row makes of it (test_idle.c)
IDLE = {
    "JobSet": ({"replicatedJobsStatus": [{"name": "leader", "active": 1, "ready": 1, "failed": 0, "succeeded": 0, "suspended": 0}]},
               {"replicatedJobsStatus": [{"name": "leader", "active": 0, "ready": 0, "failed": 0, "succeeded": 0, "suspended": 0}]}),
    "PyTorchJob": ({"replicaStatuses": {"Worker": {"active": 3}}}, {"replicaStatuses": {"Worker": {"active": 0}}}),
    "MPIJob": ({"replicaStatuses": {"Worker": {"active": 2}}}, {"replicaStatuses": {"Worker": {"active": 0}}}),
    "TrainJob": ({"jobsStatus": [{"name": "node", "active": 1, "ready": 1, "failed": 0, "succeeded": 0, "suspended": 0}]},
                 {"jobsStatus": [{"name": "node", "active": 0, "ready": 0, "failed": 0, "succeeded": 0, "suspended": 0}]}),
    "RayJob": ({"jobDeploymentStatus": "Running", "jobStatus": "RUNNING", "rayClusterStatus": {"state": "ready", "availableWorkerReplicas": 1}},
               {"jobDeploymentStatus": "Suspended", "jobStatus": "RUNNING", "rayClusterStatus": {"state": "suspended", "availableWorkerReplicas": 0}}),
    "AppWrapper": ({"phase": "Running", "conditions": [{"type": "QuotaReserved", "status": "True", "reason": "r", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
                   {"phase": "Suspended", "conditions": [{"type": "QuotaReserved", "status": "False", "reason": "r", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
    "RayCluster": ({"state": "ready", "availableWorkerReplicas": 6}, {"state": "suspended", "availableWorkerReplicas": 0}),
}


@pytest.mark.parametrize("kind", IDLE)
def test_quota_comes_back_once_the_status_says_that_nothing_is_active(bed, waiting, kind):
    ns, api = waiting, bed["manager"].api
    api_version, plural, spec, _ = ROWS[kind]
    running, idle = IDLE[kind]
    spec = {**spec, "runPolicy": {**spec["runPolicy"], "suspend": True}} if "runPolicy" in spec else {**spec, "suspend": True}
    api.create({"apiVersion": api_version, "kind": kind, "metadata": {"name": "one", "namespace": ns, "labels": {QUEUE: "lq"}}, "spec": spec})
    status = f"/apis/{api_version}/namespaces/{ns}/{plural}/one/status"

    def workload():
        return api.get(f"{KUEUE}/namespaces/{ns}/workloads")["items"][0]

    eventually(lambda: api.get(f"{KUEUE}/namespaces/{ns}/workloads")["items"][:1], "a Workload")
    eventually(lambda: condition(workload(), "QuotaReserved"), "quota")
    api.patch(status, {"status": running})
    name = workload()["metadata"]["name"]
    api.patch(f"{KUEUE}/namespaces/{ns}/workloads/{name}", {"spec": {"active": False}})
    eventually(lambda: condition(workload(), "Evicted"), "evicted")
    assert condition(workload(), "QuotaReserved"), "the quota is held while something is active"
    api.patch(status, {"status": idle})
    eventually(lambda: not condition(workload(), "QuotaReserved"), "the quota is back")
