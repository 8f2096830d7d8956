# SPDX-License-Identifier: Apache-2.0
"""One manifest per job kind, and what its operator would say. The operators do not run here: on the worker the test writes their status,
as Kueue's own integration tests do."""
from jobs import QUEUE, pod_template

NOW = "2026-01-01T00:00:00Z"


def template(container="main"):
    t = pod_template()
    t["spec"].pop("restartPolicy")
    t["spec"]["containers"][0]["name"] = container
    return t


def kubeflow(replicas, field, container):
    return {"runPolicy": {}, field: {name: {"replicas": n, "restartPolicy": "Never", "template": template(container)} for name, n in replicas.items()}}


def kubeflow_status(*types):
    """Conditions as training-operator v1 writes them; the last type is what holds now."""
    ended = types[-1] in ("Succeeded", "Failed")
    conditions = [{"type": t, "status": "False" if t == "Running" and ended else "True", "reason": t, "message": t, "lastUpdateTime": NOW, "lastTransitionTime": NOW} for t in types]
    return conditions


class Kind:
    """running, done: statuses of the copy; active(status): how many the manager's object says are active."""

    def __init__(self, group, kind, plural, spec, running, done, managed_by=("spec", "runPolicy", "managedBy"), suspend=("spec", "runPolicy", "suspend")):
        self.group, self.kind, self.plural, self.spec, self.running, self.done = group, kind, plural, spec, running, done
        self.managed_by, self.suspend = managed_by, suspend

    def make(self, name, ns, queue="lq"):
        return {"apiVersion": self.group, "kind": self.kind, "metadata": {"name": name, "namespace": ns, "labels": {QUEUE: queue}}, "spec": self.spec()}

    def path(self, ns, name):
        return f"/apis/{self.group}/namespaces/{ns}/{self.plural}/{name}"

    def at(self, obj, where):
        for key in where:
            obj = (obj or {}).get(key)
        return obj


def training(kind, plural, field, container, replicas):
    first = list(replicas)[-1]
    running = {"conditions": kubeflow_status("Created", "Running"), "replicaStatuses": {first: {"active": replicas[first]}}, "startTime": NOW}
    done = {"conditions": kubeflow_status("Created", "Running", "Succeeded"), "replicaStatuses": {first: {"active": 0, "succeeded": replicas[first]}}, "startTime": NOW, "completionTime": NOW}
    return Kind("kubeflow.org/v1", kind, plural, lambda: kubeflow(replicas, field, container), running, done)


def jobset():
    return {"replicatedJobs": [{"name": "workers", "replicas": 2, "template": {"spec": {"parallelism": 1, "completions": 1, "backoffLimit": 0, "template": pod_template()}}}]}


def replicated(name="workers", **counts):
    return [{"name": name, **{"ready": 0, "succeeded": 0, "failed": 0, "active": 0, "suspended": 0, **counts}}]


def mpi():
    return {"runPolicy": {}, "slotsPerWorker": 1, "mpiReplicaSpecs": {n: {"replicas": r, "restartPolicy": "Never", "template": template()} for n, r in (("Launcher", 1), ("Worker", 2))}}


def ray_cluster():
    pod = template()
    return {"rayVersion": "2.46.0", "headGroupSpec": {"rayStartParams": {}, "template": pod},
            "workerGroupSpecs": [{"groupName": "w", "replicas": 1, "minReplicas": 1, "maxReplicas": 1, "rayStartParams": {}, "template": pod}]}


def wrapper():
    """A Job and what goes with it. No pod sets are declared: the wrapper finds them in the Job."""
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "in"}, "spec": {"parallelism": 2, "completions": 2, "template": pod_template()}}
    job["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "KEPT", "value": "yes"}]
    return {"components": [{"template": job}, {"template": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "with"}, "data": {"a": "b"}}}]}


def condition(kind, status="True", reason="Test"):
    return {"type": kind, "status": status, "reason": reason, "message": "by the test", "lastTransitionTime": NOW}


SPEC = ("spec", "managedBy"), ("spec", "suspend")
KINDS = {
    "PyTorchJob": training("PyTorchJob", "pytorchjobs", "pytorchReplicaSpecs", "pytorch", {"Master": 1, "Worker": 2}),
    "TFJob": training("TFJob", "tfjobs", "tfReplicaSpecs", "tensorflow", {"Chief": 1, "Worker": 1}),
    "PaddleJob": training("PaddleJob", "paddlejobs", "paddleReplicaSpecs", "paddle", {"Master": 1, "Worker": 1}),
    "XGBoostJob": training("XGBoostJob", "xgboostjobs", "xgbReplicaSpecs", "xgboost", {"Master": 1, "Worker": 1}),
    "MPIJob": Kind("kubeflow.org/v2beta1", "MPIJob", "mpijobs", mpi,
                   {"conditions": kubeflow_status("Created", "Running"), "replicaStatuses": {"Worker": {"active": 2}}, "startTime": NOW},
                   {"conditions": kubeflow_status("Created", "Running", "Succeeded"), "replicaStatuses": {"Launcher": {"succeeded": 1}, "Worker": {"active": 0}}, "startTime": NOW, "completionTime": NOW}),
    "JobSet": Kind("jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets", jobset,
                   {"replicatedJobsStatus": replicated(active=2, ready=2), "restarts": 0},
                   {"conditions": [condition("Completed", reason="AllJobsCompleted")], "replicatedJobsStatus": replicated(succeeded=2), "restarts": 0, "terminalState": "Completed"}, *SPEC),
    "TrainJob": Kind("trainer.kubeflow.org/v1alpha1", "TrainJob", "trainjobs", lambda: {"runtimeRef": {"name": "torch"}, "trainer": {"numNodes": 2}},  # objects/training-runtime.yaml
                     {"jobsStatus": replicated("node", active=1, ready=1)},
                     {"conditions": [condition("Complete", reason="JobsCompleted")], "jobsStatus": replicated("node", succeeded=1)}, *SPEC),
    "RayJob": Kind("ray.io/v1", "RayJob", "rayjobs", lambda: {"entrypoint": "true", "shutdownAfterJobFinishes": True, "rayClusterSpec": ray_cluster()},
                   {"jobStatus": "RUNNING", "jobDeploymentStatus": "Running"}, {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"}, *SPEC),
    "RayCluster": Kind("ray.io/v1", "RayCluster", "rayclusters", ray_cluster, {"state": "ready", "desiredWorkerReplicas": 1, "readyWorkerReplicas": 1}, None, *SPEC),
    "AppWrapper": Kind("workload.codeflare.dev/v1beta2", "AppWrapper", "appwrappers", wrapper,
                       {"phase": "Running", "conditions": [condition(t) for t in ("QuotaReserved", "ResourcesDeployed", "PodsReady")]},
                       {"phase": "Succeeded", "conditions": [condition("QuotaReserved", "False")]}, *SPEC),
}

# What Kueue's webhook refuses on a worker: it has no prebuilt Workloads for this kind, so nobody can dispatch it to Kueue workers (0.19.2).
JAXJOB = training("JAXJob", "jaxjobs", "jaxReplicaSpecs", "jax", {"Worker": 2})

# Statuses of copies that were stopped.
STOPPED = {
    "AppWrapper": {"phase": "Suspended", "conditions": [condition(t, "False") for t in ("QuotaReserved", "ResourcesDeployed")]},
    "JobSet": {"conditions": [condition("Suspended", reason="SuspendedJobs")], "replicatedJobsStatus": replicated(suspended=2)},
    "PyTorchJob": {"conditions": [*kubeflow_status("Created"), {**kubeflow_status("Running")[0], "status": "False"}, *kubeflow_status("Suspended")],
                   "replicaStatuses": {"Master": {"active": 0}, "Worker": {"active": 0}}},
}
