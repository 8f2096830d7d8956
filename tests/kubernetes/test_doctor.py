# SPDX-License-Identifier: Apache-2.0
"""`spillway doctor` with the shipped rights: a good site, then each thing broken in turn."""
import contextlib
import json

import pytest
import yaml

from conftest import no_jobs
from process import BUILD, ROOT, eventually, run

pytestmark = pytest.mark.alone("mirror")

KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kueue-controller-manager", "namespace": "kueue-system"},
    "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "manager", "image": "registry.k8s.io/kueue/kueue:v0.19.2"}]}}},
}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kueue-manager-config", "namespace": "kueue-system"},
          "data": {"controller_manager_config.yaml": "integrations: {frameworks: [batch/job]}\n"}}


@pytest.fixture
def site(bed, own):
    """A gateway in the mirror role that runs, and what stock Kueue leaves in its namespace."""
    g = own("mirror")
    m = bed["manager"].api
    no_jobs(m)
    m.apply([DEPLOYMENT, CONFIG])
    m.wait(f"{KUEUE}/clusterqueues/cq", lambda o: o and any(c["type"] == "Active" and c["status"] == "True" for c in o["status"]["conditions"]))
    yield g
    m.delete("/apis/apps/v1/namespaces/kueue-system/deployments/kueue-controller-manager")
    m.delete("/api/v1/namespaces/kueue-system/configmaps/kueue-manager-config")


def doctor(g, *more):
    done = run(BUILD / "spillway", "doctor", "--config", g.dir / "spillway.yaml", "-o", "json", *more, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def rows(found, level, cluster=None):
    return [r for r in found if r["level"] == level and cluster in (None, r["cluster"])]


def test_a_good_site_has_no_failures_and_every_check_looked_at_something(site):
    code, found = doctor(site, "--kubeconfig", site.kubeconfig)
    assert code == 0, rows(found, "fail")
    assert {r["check"] for r in rows(found, "ok", "manager")} >= {
        "in reach", "clock", "rights", "job kinds", "Kueue's API", "Kueue", "admission check", "admission policy", "origin", "queues", "jobs"}
    assert {r["check"] for r in rows(found, "ok", "w1")} >= {"in reach", "rights", "Kueue's API", "claim", "queues", "nodes", "seen by gateway"}
    assert {r["check"] for r in rows(found, "ok", "gateway")} == {"in reach"}
    unread = [r for r in rows(found, "warn", "manager") if "secrets in companions" in r["found"]]
    assert unread and "kubectl -n companions apply -k config/kubernetes/mirror/companions" in unread[0]["mend"], found


@contextlib.contextmanager
def without(api, path):
    """The object is gone meanwhile."""
    was = api.get(path)
    api.delete(path)
    try:
        yield
    finally:
        for field in ("resourceVersion", "uid", "creationTimestamp", "managedFields", "generation"):
            was["metadata"].pop(field, None)
        was.pop("status", None)
        api.create(was)


@contextlib.contextmanager
def changed(api, path, field, change):
    """One top-level field is another meanwhile: change(value) gives it."""
    was = api.get(path)[field]
    api.patch(path, {field: change(json.loads(json.dumps(was)))})
    try:
        yield
    finally:
        api.patch(path, {field: was})


@contextlib.contextmanager
def present(api, obj):
    made = api.create(obj)
    path = api.path(made)
    try:
        yield
    finally:
        api.delete(path)
        api.wait(path, lambda o: o is None)


def queue(name, cq, labels=None):
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": name, "namespace": "default", "labels": labels or {}}, "spec": {"clusterQueue": cq}}


def flavor(name, **spec):
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": name}, "spec": {"nodeLabels": {"kubernetes.io/os": "linux"}, **spec}}


def plain_queue(flavor="default", checks=()):
    strategy = {"admissionChecksStrategy": {"admissionChecks": [{"name": c} for c in checks]}} if checks else {}
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ClusterQueue", "metadata": {"name": "doctor-plain"}, "spec": {"namespaceSelector": {}, **strategy, "resourceGroups": [
        {"coveredResources": ["cpu"], "flavors": [{"name": flavor, "resources": [{"name": "cpu", "nominalQuota": 0}]}]}]}}


def job(name, lq, **spec):
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default", "labels": {"kueue.x-k8s.io/queue-name": lq}}, "spec": {
        "suspend": True, **spec, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}]}}}}


def with_old_image(spec):
    spec["template"]["spec"]["containers"][0]["image"] = "registry.k8s.io/kueue/kueue:v0.14.0"
    return spec


LABEL = {"spillway.dev/dispatch": "true"}
# What is broken (a context), and the row that must then be there: level, cluster, check, words of what was found, words of what mends it.
BREAKS = {
    "a right is missing on the manager": (
        lambda m, w: changed(m, f"{RBAC}/clusterroles/spillway-manager", "rules", lambda rules: [r for r in rules if "workloads/status" not in r["resources"]]),
        ("fail", "manager", "rights", "may not patch workloads/status.kueue.x-k8s.io", "kubectl apply -k config/kubernetes/mirror")),
    "a right is missing on a worker": (
        lambda m, w: without(w, f"{RBAC}/clusterrolebindings/spillway-worker-kueue"),
        ("fail", "w1", "rights", "create workloads.kueue.x-k8s.io", "on w1: kubectl apply -k config/kubernetes/worker/kueue")),
    "the policy is gone": (
        lambda m, w: without(m, f"{ADMISSION}/mutatingadmissionpolicies/spillway-managed-by"),
        ("fail", "manager", "admission policy", "spillway-managed-by is not there", "kubectl apply -k config/kubernetes/mirror")),
    "the policy is not bound": (
        lambda m, w: without(m, f"{ADMISSION}/mutatingadmissionpolicybindings/spillway-managed-by-training"),
        ("fail", "manager", "admission policy", "spillway-managed-by-training is not bound", "kubectl apply -k")),
    "a queue lacks the label": (
        lambda m, w: present(m, queue("doctor-unlabelled", "cq")),
        ("fail", "manager", "queues", "default/doctor-unlabelled leads to spillway, but its label is missing", "kubectl -n default label localqueue doctor-unlabelled")),
    "a labelled queue leads elsewhere": (
        lambda m, w: both(present(m, plain_queue()), present(m, queue("doctor-elsewhere", "doctor-plain", LABEL))),
        ("fail", "manager", "queues", "does not name the check: its jobs would run nowhere", "spillway.dev/dispatch-")),
    "a managed job is in an ordinary queue": (
        lambda m, w: both(present(m, plain_queue()), present(m, queue("doctor-ordinary", "doctor-plain")),
                          present(m, job("doctor-nowhere", "doctor-ordinary", managedBy="kueue.x-k8s.io/multikueue"))),
        ("warn", "manager", "jobs", "run nowhere: Job default/doctor-nowhere", "move them to a queue of spillway's")),
    "a job came before the label": (
        lambda m, w: both(present(m, queue("doctor-late", "cq")), present(m, job("doctor-early", "doctor-late"))),
        ("fail", "manager", "jobs", "have no managedBy and will be rejected: Job default/doctor-early", "submit them again")),
    "a topology is asked of the manager": (
        lambda m, w: both(present(m, flavor("doctor-racks", topologyName="doctor-none")), present(m, {**plain_queue("doctor-racks", ["spillway"]), "metadata": {"name": "doctor-topology"}})),
        ("fail", "manager", "queues", "ClusterQueue doctor-topology: its flavor doctor-racks has a topologyName", "kubectl edit clusterqueue doctor-topology")),
    "a queue is missing on a worker": (
        lambda m, w: present(m, queue("doctor-far", "cq", LABEL)),
        ("warn", "w1", "queues", "LocalQueue default/doctor-far is missing here", "on w1: kubectl")),
    "a worker is another installation's": (
        lambda m, w: changed(w, "/api/v1/namespaces/spillway-system/configmaps/spillway-claim", "data", lambda data: {**data, "origin": "somebody-else"}),
        ("fail", "w1", "claim", "claimed by installation somebody-else", "delete configmap spillway-claim")),
    "Kueue is old": (
        lambda m, w: changed(m, "/apis/apps/v1/namespaces/kueue-system/deployments/kueue-controller-manager", "spec", with_old_image),
        ("warn", "manager", "Kueue", "v0.14.0: spillway is tested with", "kubectl apply --server-side")),
}


@contextlib.contextmanager
def both(*contexts):
    with contextlib.ExitStack() as stack:
        for c in contexts:
            stack.enter_context(c)
        yield


def test_each_thing_that_is_broken_is_found_and_its_cure_named(site, bed):
    m, w = bed["manager"].api, bed["w1"].api
    site.stop()  # its state is not what is looked at here, and it would mend the claim
    settings = yaml.safe_load((site.dir / "spillway.yaml").read_text())
    origin = w.get("/api/v1/namespaces/spillway-system/configmaps/spillway-claim")["data"]["origin"]
    (site.dir / "spillway.yaml").write_text(yaml.safe_dump({**settings, "identity": {"origin": origin}}))
    before = [r for r in doctor(site)[1] if r["level"] != "ok"]
    missed = {}
    for name, (breaking, (level, cluster, check, words, mend)) in BREAKS.items():
        with breaking(m, w):
            def seen():
                code, found = doctor(site)
                hit = [r for r in found if (r["level"], r["cluster"], r["check"]) == (level, cluster, check) and words in r["found"] and mend in r.get("mend", "")]
                return (code, hit) if hit else None

            try:
                code, _ = eventually(seen, name, limit=20)
            except AssertionError:
                missed[name] = [r for r in doctor(site)[1] if r["level"] != "ok" and r not in before]
                continue
            assert level != "fail" or code == 1, name
    assert not missed, json.dumps(missed, indent=1)


def test_a_token_that_ended_and_a_cluster_out_of_reach_are_failures(site, bed, tmp_path):
    settings = yaml.safe_load((site.dir / "spillway.yaml").read_text())
    ended = "e30.eyJleHAiOjE3MDAwMDAwMDB9.sig"  # {"exp": 1700000000}
    for name, server, token in (("ended", bed["w1"].api.url.geturl(), ended), ("away", "https://127.0.0.1:1", "t")):
        k = yaml.safe_load(bed["w1"].account.read_text())
        k["clusters"][0]["cluster"]["server"] = server
        k["users"][0]["user"] = {"token": token}
        (tmp_path / f"{name}.kubeconfig").write_text(yaml.safe_dump(k))
        settings["clusters"].append({"name": name, "kubeconfig": str(tmp_path / f"{name}.kubeconfig"), "worker": "plain"})
    (site.dir / "spillway.yaml").write_text(yaml.safe_dump(settings))
    code, found = doctor(site)
    assert code == 1
    away = rows(found, "fail", "away")
    assert [r["check"] for r in away] == ["in reach"] and "Failed to connect" in away[0]["found"]
    assert "does not accept the token" in rows(found, "fail", "ended")[0]["found"]


def test_the_shipped_manifests_are_all_that_the_gateway_needs(site, bed):
    """It ran with these rights alone: what an API server refused it would be in its log."""
    assert " code=403" not in site.text() and "is forbidden" not in site.text()
    assert (ROOT / "config/kubernetes/mirror/rbac.yaml").exists()
