# SPDX-License-Identifier: Apache-2.0
"""The life of a worker: registered, drained, its credentials renewed under a running gateway, removed; and MultiKueue's clusters taken over."""
import json

import pytest
import yaml

from conftest import add_namespace
from jobs import RUN, ended, finish_all, holder, job, path
from mirrored import queue, workload_of, workload_path
from process import BUILD, ROOT, eventually, run

pytestmark = pytest.mark.alone("mirror")
KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
OURS = {"spillway.dev/dispatch": "true"}


def spillway(*argv, **more):
    return run(BUILD / "spillway", *argv, **more)


@pytest.fixture
def everywhere(bed, ns):
    """The namespace, with the LocalQueue lq, on the manager and on both workers."""
    for name in ("manager", "w1", "w2"):
        add_namespace(bed[name].api, ns, "cq", OURS if name == "manager" else None)
    yield bed["manager"].api
    for name in ("manager", "w1", "w2"):
        bed[name].api.delete(f"/api/v1/namespaces/{ns}")


def opened(g):
    """What operators said to an earlier gateway of this manager is remembered there: begin with both workers open."""
    for w in g.workers:
        eventually(lambda: g.cli("cluster", "undrain", w.name, check=False).returncode == 0, f"{w.name} is open")
    return g


def clusters(g):
    return {c["name"]: c for c in json.loads(g.cli("cluster", "list", "-o", "json"))}


def test_a_drained_worker_gets_nothing_new_and_a_removed_one_is_empty(own, everywhere, ns):
    g, m = opened(own("mirror")), everywhere
    eventually(lambda: all(c["ready"] for c in clusters(g).values()), "both workers are ready")
    m.create(job("stays", ns, {RUN: "forever"}))
    there = holder(g, ns, "stays")
    other = next(w for w in g.workers if w is not there)
    assert "takes no new jobs" in g.cli("cluster", "drain", there.name)
    refused = g.cli("cluster", "remove", there.name, check=False)
    assert refused.returncode == 1 and "still has 1 placed job" in refused.stderr, refused.stderr
    m.create(job("next", ns, {RUN: "forever"}))
    assert holder(g, ns, "next") is other
    assert clusters(g)[there.name]["operator"] == "drained"
    finish_all(there.api, ns, "stays")
    m.wait(path(ns, "stays"), lambda o: o and ended(o))
    eventually(lambda: g.cli("cluster", "remove", there.name, check=False).returncode == 0, "the empty worker is removed")
    alive = g.cli("cluster", "declare-dead", other.name, check=False)
    assert alive.returncode == 1 and "drained, not declared dead" in alive.stderr
    finish_all(other.api, ns, "next")
    m.wait(path(ns, "next"), lambda o: o and ended(o))
    assert "takes jobs" in g.cli("cluster", "undrain", there.name), "one that is added again is opened again"
    wrong = g.cli("cluster", "drain", "w9", check=False)
    assert wrong.returncode == 1 and 'there is no cluster "w9"' in wrong.stderr


@pytest.fixture
def own_queues(bed, ns):
    """own_queues(): a ClusterQueue of the test's own, in which one job at a time fits on w1 and many on w2. A gateway must run."""
    def make():
        for name, cpu in (("manager", 100), ("w1", 1), ("w2", 100)):
            queue(bed[name].api, ns, {"cpu": cpu}, ("spillway",) if name == "manager" else ())
            add_namespace(bed[name].api, ns, ns, OURS if name == "manager" else None)

    yield make
    for name in ("manager", "w1", "w2"):
        bed[name].api.delete(f"/api/v1/namespaces/{ns}")
        bed[name].api.delete(f"{KUEUE}/clusterqueues/{ns}")


def test_a_waiting_job_is_evaluated_again_when_a_worker_is_added_and_a_removed_one_leaves(own, bed, own_queues, ns, tmp_path):
    m, folder = bed["manager"].api, tmp_path / "clusters.d"
    g = own("mirror", clusters=[{"name": "w1", "kubeconfig": str(bed["w1"].account), "worker": "kueue"}], clusters_dir=str(folder), wait=False)
    g.process.wait_for("serving")
    eventually(lambda: g.cli("cluster", "undrain", "w1", check=False).returncode == 0 and clusters(g)["w1"]["ready"], "w1 is ready")
    own_queues()
    m.create(job("fills", ns, {RUN: "forever"}))
    bed["w1"].api.wait(path(ns, "fills"), bool)
    m.create(job("waits", ns, {RUN: "forever"}))
    workload = workload_of(m, ns, "waits")["metadata"]["name"]
    bed["w1"].api.wait(workload_path(ns, workload), bool, what="it is offered to the only worker, which is full")

    spillway("cluster", "add", "w2", "--from", bed["w2"].account, "--config", g.dir / "spillway.yaml")
    bed["w2"].api.wait(path(ns, "waits"), bool, what="it runs on the worker that was added")
    assert m.get(workload_path(ns, workload))["status"]["clusterName"] == "w2"
    bed["w1"].api.wait(workload_path(ns, workload), lambda o: o is None, what="the other offer is withdrawn")

    refused = g.cli("cluster", "remove", "w2", "--config", g.dir / "spillway.yaml", check=False)
    assert refused.returncode == 1 and "still has 1 placed job" in refused.stderr and (folder / "w2.yaml").exists()
    finish_all(bed["w2"].api, ns, "waits")
    m.wait(path(ns, "waits"), lambda o: o and ended(o))
    eventually(lambda: g.cli("cluster", "remove", "w2", "--config", g.dir / "spillway.yaml", check=False).returncode == 0, "the empty worker is removed")
    eventually(lambda: set(clusters(g)) == {"w1"}, "and leaves the running gateway")
    m.create(job("next", ns, {RUN: "100ms"}))
    finish_all(bed["w1"].api, ns, "fills")
    m.wait(path(ns, "next"), lambda o: o and ended(o), what="the gateway goes on with the other")


def account(cluster, name):
    """A service account with the gateway's rights, and a kubeconfig with a token of it."""
    api = cluster.api
    api.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "spillway-system"}}])
    for kind, folder in (("ClusterRoleBinding", f"{RBAC}/clusterrolebindings"), ("RoleBinding", f"{RBAC}/namespaces/spillway-system/rolebindings")):
        for b in api.get(folder)["items"]:
            if not any(s.get("name") == "spillway" for s in b.get("subjects", [])):
                continue
            meta = {"name": f"{b['metadata']['name']}-{name}", **({"namespace": "spillway-system"} if kind == "RoleBinding" else {})}
            api.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta, "roleRef": b["roleRef"],
                       "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "spillway-system"}]})
    token = api.call("POST", f"/api/v1/namespaces/spillway-system/serviceaccounts/{name}/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    k = yaml.safe_load(cluster.account.read_text())
    k["users"][0]["user"] = {"token": token["status"]["token"]}
    for group, resource in (("kueue.x-k8s.io", "workloads"), ("batch", "jobs"), ("", "configmaps")):
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": f"system:serviceaccount:spillway-system:{name}", "resourceAttributes": {"namespace": "spillway-system", "verb": "create", "group": group, "resource": resource}}}
        eventually(lambda: api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"], "its rights are known")
    return yaml.safe_dump(k)


def forget(cluster, name):
    api = cluster.api
    api.delete(f"/api/v1/namespaces/spillway-system/serviceaccounts/{name}")
    for folder in (f"{RBAC}/clusterrolebindings", f"{RBAC}/namespaces/spillway-system/rolebindings"):
        for b in api.get(folder)["items"]:
            if b["metadata"]["name"].endswith(f"-{name}"):
                api.delete(f"{folder}/{b['metadata']['name']}")


def test_new_credentials_of_a_worker_are_used_without_a_restart(own, bed, everywhere, ns, tmp_path):
    m, w1 = everywhere, bed["w1"]
    kubeconfig = tmp_path / "w1.kubeconfig"
    before, after = f"before-{ns[-6:]}", f"after-{ns[-6:]}"
    kubeconfig.write_text(account(w1, before))
    try:
        g = opened(own("mirror", clusters=[{"name": "w1", "kubeconfig": str(kubeconfig), "worker": "kueue"}, {"name": "w2", "kubeconfig": str(bed["w2"].account), "worker": "kueue"}]))
        eventually(lambda: clusters(g)["w1"]["ready"], "the worker is ready")
        g.cli("cluster", "drain", "w2")
        m.create(job("runs", ns, {RUN: "forever"}))
        w1.api.wait(path(ns, "runs"), bool)
        kubeconfig.write_text(account(w1, after))
        user = f"system:serviceaccount:spillway-system:{after}"
        eventually(lambda: any(e.get("user", {}).get("username") == user for e in w1.audit()), "the new token is used")
        forget(w1, before)  # the old token ends here
        m.create(job("later", ns, {RUN: "100ms"}))
        m.wait(path(ns, "later"), lambda o: o and ended(o), limit_s=90)
        finish_all(w1.api, ns, "runs")
        m.wait(path(ns, "runs"), lambda o: o and ended(o))
        g.cli("cluster", "undrain", "w2")
        assert g.process.p.poll() is None and "serving" in g.text() and g.text().count("serving") == 1, "it is the same process"
    finally:
        forget(w1, before)
        forget(w1, after)


@pytest.fixture
def multikueue(bed):
    """MultiKueueClusters of the manager: two with Secrets, one whose file lies elsewhere."""
    m = bed["manager"].api
    for name in ("w1", "w2"):
        m.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "kueue-system"}, "stringData": {"kubeconfig": bed[name].account.read_text()}},
                 {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "MultiKueueCluster", "metadata": {"name": name},
                  "spec": {"clusterSource": {"kubeConfig": {"location": name, "locationType": "Secret"}}}}])
    m.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "MultiKueueCluster", "metadata": {"name": "elsewhere"},
             "spec": {"clusterSource": {"kubeConfig": {"location": "/etc/multikueue/kubeconfigs/x", "locationType": "Path"}}}})
    yield m
    for name in ("w1", "w2", "elsewhere"):
        m.delete(f"{KUEUE}/multikueueclusters/{name}")
        m.delete(f"/api/v1/namespaces/kueue-system/secrets/{name}")


def test_the_clusters_of_a_multikueue_site_are_taken_over(multikueue, bed, own, everywhere, ns, tmp_path):
    config = tmp_path / "spillway.yaml"
    config.write_text("clusters_dir: clusters.d\n")
    done = spillway("cluster", "import", "--manager", bed["manager"].kubeconfig, "--config", config, check=False)
    assert done.returncode == 1 and "cluster elsewhere: not added" in done.stderr and "give its kubeconfig with --from" in done.stderr
    assert sorted(f.name for f in (tmp_path / "clusters.d").iterdir()) == ["w1.kubeconfig", "w1.yaml", "w2.kubeconfig", "w2.yaml"], done.stderr
    multikueue.delete(f"{KUEUE}/multikueueclusters/elsewhere")
    again = spillway("cluster", "import", "--manager", bed["manager"].kubeconfig, "--config", config, check=False)
    assert again.returncode == 0 and "added" not in again.stderr, "what is there stays as it is"
    assert (tmp_path / "clusters.d" / "w1.kubeconfig").stat().st_mode & 0o777 == 0o600
    g = opened(own("mirror", clusters=[], clusters_dir=str(tmp_path / "clusters.d")))
    eventually(lambda: len(clusters(g)) == 2 and all(c["ready"] and c["worker"] == "kueue" for c in clusters(g).values()), "both are ready")
    everywhere.create(job("moved", ns, {RUN: "100ms"}))
    everywhere.wait(path(ns, "moved"), lambda o: o and ended(o))


@pytest.fixture
def importing(bed, multikueue):
    """The rights that importing takes, and a MultiKueueConfig that names w1 and w2."""
    rights = list(yaml.safe_load_all((ROOT / "config/kubernetes/import-multikueue/rbac.yaml").read_text()))
    multikueue.apply(rights)
    multikueue.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "MultiKueueConfig", "metadata": {"name": "both"}, "spec": {"clusters": ["w1", "w2"]}})
    yield multikueue
    multikueue.delete(f"{KUEUE}/multikueueconfigs/both")
    for r in rights:
        multikueue.delete(multikueue.path(r))


def test_multikueues_clusters_are_followed_while_the_gateway_runs(importing, bed, own, everywhere, ns):
    m, w1 = importing, bed["w1"]
    before, after = f"one-{ns[-6:]}", f"two-{ns[-6:]}"

    def secret(kubeconfig):
        m.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "w1", "namespace": "kueue-system"}, "stringData": {"kubeconfig": kubeconfig}})

    try:
        secret(account(w1, before))
        g = opened(own("mirror", clusters=[], manager={"import_multikueue": True}))
        eventually(lambda: set(clusters(g)) == {"w1", "w2"} and all(c["ready"] and c["worker"] == "kueue" for c in clusters(g).values()), "both are ready")
        g.cli("cluster", "drain", "w2")
        m.create(job("first", ns, {RUN: "forever"}))
        w1.api.wait(path(ns, "first"), bool)

        secret(account(w1, after))  # rotated in the Secret
        user = f"system:serviceaccount:spillway-system:{after}"
        eventually(lambda: any(e.get("user", {}).get("username") == user and "spillway" in e.get("userAgent", "") for e in w1.audit()), "the new token is used")
        forget(w1, before)
        finish_all(w1.api, ns, "first")
        m.wait(path(ns, "first"), lambda o: o and ended(o), limit_s=90)

        g.cli("cluster", "undrain", "w2")
        m.patch(f"{KUEUE}/multikueueconfigs/both", {"spec": {"clusters": ["w2"]}})
        eventually(lambda: set(clusters(g)) == {"w2"}, "w1 is named no more, and left")
        m.create(job("second", ns, {RUN: "100ms"}))
        m.wait(path(ns, "second"), lambda o: o and ended(o))
        assert "elsewhere" not in g.text(), "no config names it"
        m.patch(f"{KUEUE}/multikueueconfigs/both", {"spec": {"clusters": ["w2", "elsewhere"]}})
        g.process.wait_for("a file in Kueue's container")
    finally:
        forget(w1, before)
        forget(w1, after)
