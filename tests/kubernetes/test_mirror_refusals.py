# SPDX-License-Identifier: Apache-2.0
"""What a worker refuses for good is a verdict: it is told, another cluster takes the job, and where none does the job waits."""
import json

import pytest
from conftest import add_mirrored_namespace, remove_namespace, wait_policy

from jobs import RUN, absent, condition, count, finish_all, gone_everywhere, job, path
from kinds import JAXJOB
from mirrored import check, events, evictions, state, wait_workload, workloads
from process import eventually
from testbed.api import ApiError

VAP = "admissionregistration.k8s.io/v1"


def refuse(w, ns, resource, group, kind="Job"):
    """An admission policy of the worker's owner: nothing of this resource may be created in the test's namespace. In force when this returns."""
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE"], "resources": [resource]}
    w.api.apply({"apiVersion": VAP, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": ns}, "spec": {
        "matchConstraints": {"resourceRules": [rule]}, "failurePolicy": "Fail",
        "validations": [{"expression": "false", "message": f"no {resource} here"}]}})
    w.api.apply({"apiVersion": VAP, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": ns}, "spec": {
        "policyName": ns, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}}}}})
    tried = job("try", ns, suspend=True) if kind == "Job" else {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload", "metadata": {"name": "try", "namespace": ns}, "spec": {
        "queueName": "lq", "podSets": [{"name": "main", "count": 1, "template": job("try", ns)["spec"]["template"]}]}}

    def denied():
        try:
            w.api.call("POST", w.api.collection(tried) + "?dryRun=All", tried)
        except ApiError as e:
            return f"no {resource} here" in str(e)

    eventually(denied, "the worker's policy is in force")


def allow(w, ns):
    for what in "validatingadmissionpolicybindings", "validatingadmissionpolicies":
        w.api.delete(f"/apis/{VAP}/{what}/{ns}")


def reasons(g, ns, name):
    """Why not there, by cluster; nothing while the job has no quota."""
    shown = g.cli("explain", name, "-n", ns, "-o", "json", check=False)
    return {c["cluster"]: c["reason"] for c in json.loads(shown.stdout)["candidates"]} if shown.returncode == 0 else {}


def test_a_kind_that_the_workers_kueue_cannot_take_over_waits_with_the_reason(mirror, ns):
    """JAXJob: Kueue 0.19.2 has no prebuilt Workloads for it, so nobody can dispatch it to Kueue workers. If this fails, Kueue has learnt it."""
    said = 'Forbidden: Is not supported for "kubeflow.org/v1, Kind=JAXJob"'
    mirror.api.create(JAXJOB.make("it", ns))
    at = wait_workload(mirror, ns, "it", lambda o: "every cluster" in (check(o) or {}).get("message", ""), "its check says why it waits")
    for w in mirror.workers:
        assert f"{w.name}: refused the job: HTTP 403 Forbidden" in check(at)["message"] and said in check(at)["message"], check(at)
        assert said in reasons(mirror, ns, "jaxjob/it")[w.name]
        eventually(lambda: said in events(mirror, ns, "StartRefused") and f"(cluster {w.name}, attempt " in events(mirror, ns, "StartRefused"), "its events name the cluster and the reason")
    assert evictions(at) == len(mirror.workers), "each was tried once, and no more"
    evicted = next(c for c in at["status"]["conditions"] if c["type"] == "Evicted")
    assert said in evicted["message"], "the Workload's condition too"
    assert not any(workloads(w.api, ns) for w in mirror.workers), "nothing is left there"
    eventually(lambda: events(mirror, ns, "RefusedEverywhere"), "an event sums it up")


@pytest.mark.parametrize("resource,group", [("jobs", "batch"), ("workloads", "kueue.x-k8s.io")])
def test_what_one_worker_refuses_another_runs(mirror, ns, queues, resource, group):
    """The job, or already its mirror. The other worker has room only later, so the refusal comes first."""
    first, second = mirror.workers
    queues(workers={first.name: 100, second.name: 0})
    refuse(first, ns, resource, group, "Job" if resource == "jobs" else "Workload")
    try:
        mirror.api.create(job("it", ns, {RUN: "forever"}))
        said = eventually(lambda: next((r for c, r in reasons(mirror, ns, "job/it").items() if c == first.name and "refused the job" in r), None), "explain names the refusal")
        assert "HTTP 422 Invalid" in said and f"no {resource} here" in said
        second.api.patch(f"/apis/kueue.x-k8s.io/v1beta2/clusterqueues/{ns}", {"spec": {"resourceGroups": [{"coveredResources": ["cpu"], "flavors": [
            {"name": "default", "resources": [{"name": "cpu", "nominalQuota": "10"}]}]}]}})
        mirror.api.wait(path(ns, "it"), count("ready", 1))
        at = wait_workload(mirror, ns, "it", lambda o: condition(o, "Admitted"))
        assert at["status"]["clusterName"] == second.name and evictions(at) == (1 if resource == "jobs" else 0)
        reason = "StartRefused" if resource == "jobs" else "OfferRefused"
        eventually(lambda: first.name in events(mirror, ns, reason) and f"no {resource} here" in events(mirror, ns, reason), "an event names cluster and reason")
        assert not first.api.find(path(ns, "it"))
        assert eventually(lambda: not workloads(first.api, ns), "no mirror is left on the one that refused") is True
    finally:
        allow(first, ns)
    finish_all(second.api, ns, "it")
    mirror.api.wait(path(ns, "it"), lambda o: condition(o, "Complete"))
    gone_everywhere(mirror, ns, "it")


@pytest.mark.alone
def test_a_worker_that_takes_away_rights_refuses_and_holds_up_nobody(own, ns, tmp_path):
    """Nobody may create Workloads there any more (RBAC edited on the running worker); the rights come back later."""
    (tmp_path / "everywhere.lua").write_text("function place(w, candidates) return { { candidates = candidates, patience = 3600 } } end\n")
    g = own("mirror", policy={"file": str(tmp_path / "everywhere.lua")})
    add_mirrored_namespace(g, ns)
    wait_policy(g, ns)
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/spillway-worker-kueue"
    first, second = g.workers
    rules = {w.name: w.api.get(role)["rules"] for w in g.workers}

    def less(w):
        w.api.patch(role, {"rules": [{**r, "verbs": [v for v in r["verbs"] if v != "create"]} for r in rules[w.name]]})
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": "system:serviceaccount:spillway-system:spillway", "resourceAttributes": {"group": "kueue.x-k8s.io", "resource": "workloads", "verb": "create", "namespace": ns}}}
        eventually(lambda: not w.api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"], "the right is gone")

    try:
        less(first)
        g.api.create(job("one", ns, {RUN: "forever"}))
        g.api.wait(path(ns, "one"), count("ready", 1))
        assert wait_workload(g, ns, "one", lambda o: True)["status"]["clusterName"] == second.name
        eventually(lambda: f"cluster {first.name} refused the offer: HTTP 403" in events(g, ns, "OfferRefused"), "an event names the cluster")
        less(second)
        g.api.create(job("two", ns, {RUN: "forever"}))
        at = wait_workload(g, ns, "two", lambda o: "every cluster" in (check(o) or {}).get("message", ""), "the step is not waited for")
        assert all(f"{w.name}: refused the job: HTTP 403 Forbidden" in check(at)["message"] for w in g.workers) and state(at) == "Pending"
        eventually(lambda: "cannot create resource" in events(g, ns, "RefusedEverywhere"), "and the event what is missing")
    finally:
        for w in g.workers:
            w.api.patch(role, {"rules": rules[w.name]})
    g.api.wait(path(ns, "two"), count("ready", 1), what="it is offered again soon")
    for name in "one", "two":
        g.api.delete(path(ns, name))
        g.api.wait(path(ns, name), absent)
        gone_everywhere(g, ns, name)
    remove_namespace(g, ns)
