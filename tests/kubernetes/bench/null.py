# SPDX-License-Identifier: Apache-2.0
"""The null dispatcher: a loop that makes only the writes that no dispatcher of Kueue workloads can do without.

On the manager, per workload: the Job's status says Suspended (Kubernetes 1.36 refuses Kueue's start of the Job without it, again and
again), and our check is Ready: two PATCHes of a status. On the worker: one Workload and one Job are created. It nominates nobody,
reads nothing, remembers nothing, copies no status and cleans nothing up, so nothing correct can be faster on the same API servers.
It runs as a process of its own:

    python null.py MANAGER_KUBECONFIG CHECK WORKER_KUBECONFIG...
"""
import copy
import pathlib
import queue
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from testbed.api import Api, Gone  # noqa: E402

THREADS = 8
WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/workloads"


def pending(workload, check):
    """Quota is reserved, and the check still waits?"""
    status = workload.get("status", {})
    reserved = any(c["type"] == "QuotaReserved" and c["status"] == "True" for c in status.get("conditions", []))
    return reserved and any(c["name"] == check and c["state"] == "Pending" for c in status.get("admissionChecks", []))


def mirror_of(workload):
    return {"apiVersion": workload["apiVersion"], "kind": "Workload",
            "metadata": {"name": workload["metadata"]["name"], "namespace": workload["metadata"]["namespace"]},
            "spec": copy.deepcopy(workload["spec"])}


def job_of(workload):
    m = workload["metadata"]
    owner = m["ownerReferences"][0]
    sets = workload["spec"]["podSets"][0]
    return {"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": owner["name"], "namespace": m["namespace"],
                         "labels": {"kueue.x-k8s.io/queue-name": workload["spec"]["queueName"], "kueue.x-k8s.io/prebuilt-workload-name": m["name"]},
                         "annotations": {"kueue.x-k8s.io/prebuilt-workload-name": m["name"]}},
            "spec": {"suspend": True, "parallelism": sets["count"], "completions": sets["count"], "template": sets["template"]}}


def place(manager, worker, check, workload):
    m = workload["metadata"]
    job = m["ownerReferences"][0]["name"]
    suspended = {"type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "", "lastTransitionTime": m["creationTimestamp"]}
    manager.patch(f"/apis/batch/v1/namespaces/{m['namespace']}/jobs/{job}/status", {"status": {"conditions": [suspended]}})
    states = [dict(c, state="Ready", message="", lastTransitionTime=m["creationTimestamp"]) if c["name"] == check else c
              for c in workload["status"]["admissionChecks"]]
    manager.patch(f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{m['namespace']}/workloads/{m['name']}/status", {"status": {"admissionChecks": states}})
    worker.create(mirror_of(workload), m["namespace"])
    worker.create(job_of(workload), m["namespace"])


def main(manager_config, check, *worker_configs):
    manager = Api(manager_config, "null-dispatcher")
    workers = [Api(w, "null-dispatcher") for w in worker_configs]
    todo, seen = queue.Queue(), set()

    def work():
        while True:
            n, workload = todo.get()
            place(manager, workers[n % len(workers)], check, workload)

    for _ in range(THREADS):
        threading.Thread(target=work, daemon=True).start()
    print("ready", flush=True)
    while True:
        page = manager.get(WORKLOADS)
        items = [("ADDED", dict(o, apiVersion="kueue.x-k8s.io/v1beta2")) for o in page["items"]]
        try:
            for _, workload in (e for source in (items, manager.watch(WORKLOADS, version=page["metadata"]["resourceVersion"], limit_s=3600)) for e in source):
                uid = workload["metadata"].get("uid")
                if uid not in seen and pending(workload, check):
                    seen.add(uid)
                    todo.put((len(seen), workload))
        except Gone:
            pass


if __name__ == "__main__":
    main(*sys.argv[1:])
