# SPDX-License-Identifier: Apache-2.0
"""Jobs as users write them, and what is asked of them."""
from process import eventually
from testbed.api import ApiError

QUEUE = "kueue.x-k8s.io/queue-name"
RUN, EXIT, FINISH, START, TERMINATE = (f"testbed.spillway.dev/{w}" for w in ("run", "exit", "finish", "start", "terminate"))


def pod_template(notes=None, restart="Never", **resources):
    """One container; resources: cpu, memory, gpu."""
    requests = {"cpu": "1", **{k: str(v) for k, v in resources.items() if k != "gpu"}}
    limits = {"nvidia.com/gpu": str(resources["gpu"])} if "gpu" in resources else {}
    return {"metadata": {"annotations": notes or {}},
            "spec": {"restartPolicy": restart, "containers": [{"name": "main", "image": "busybox", "command": ["true"], "resources": {"requests": {**requests, **limits}, "limits": limits}}]}}


def job(name, ns, notes=None, queue="lq", annotations=None, resources=None, **spec):
    """A batch/v1 Job; notes are its pods' annotations."""
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": ns, "labels": {QUEUE: queue}, "annotations": annotations or {}},
            "spec": {"template": pod_template(notes, **(resources or {})), **spec}}


def path(ns, name="", plural="jobs", group="batch/v1"):
    return f"/apis/{group}/namespaces/{ns}/{plural}" + (f"/{name}" if name else "")


def condition(obj, kind):
    """The condition if it is True, else None."""
    for c in ((obj or {}).get("status") or {}).get("conditions") or []:
        if c["type"] == kind and c["status"] == "True":
            return c
    return None


def ended(obj):
    return condition(obj, "Complete") or condition(obj, "Failed")


def count(key, n):
    return lambda o: o and (o.get("status") or {}).get(key, 0) == n


def absent(obj):
    return obj is None


def pods(api, ns, name):
    return api.get(f"/api/v1/namespaces/{ns}/pods?labelSelector=batch.kubernetes.io/job-name%3D{name}")["items"]


def finish(api, ns, name, code=0):
    """Tells the job's pods to end now, those that are there once there are any."""
    eventually(lambda: pods(api, ns, name), f"{ns}/{name} has pods")
    tell_to_end(api, ns, name, code)


def tell_to_end(api, ns, name, code):
    for p in pods(api, ns, name):
        try:
            api.patch(f"/api/v1/namespaces/{ns}/pods/{p['metadata']['name']}", {"metadata": {"annotations": {FINISH: str(code)}}})
        except ApiError as e:
            if e.code != 404:  # gone meanwhile
                raise


def finish_all(api, ns, name, code=0):
    """Tells running pods to end until the job has ended where it runs, or was swept."""
    def over():
        tell_to_end(api, ns, name, code)
        at = api.find(path(ns, name))
        return at is None or ended(at)

    eventually(over, f"{ns}/{name} ends")


def holder(g, ns, name, plural="jobs", group="batch/v1"):
    """The worker that has the copy, once one has."""
    def find():
        return [w for w in g.workers if w.api.find(path(ns, name, plural, group))]

    return eventually(lambda: find()[:1], f"{ns}/{name} is created on a worker")[0]


def gone_everywhere(g, ns, name, plural="jobs", group="batch/v1"):
    for w in g.workers:
        w.api.wait(path(ns, name, plural, group), absent, what=f"the copy is swept from {w.name}")
        assert eventually(lambda: not pods(w.api, ns, name), f"its pods are gone from {w.name}") is True
