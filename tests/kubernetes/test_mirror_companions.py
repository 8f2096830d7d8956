# SPDX-License-Identifier: Apache-2.0
"""Secrets and ConfigMaps that a job takes along in mirror role, with the rights that are shipped for it, given to one namespace."""
import base64

import pytest

from conftest import add_mirrored_namespace, wait_policy

from gateway import ROOT
from jobs import RUN, absent, condition, count, finish, holder, job, path
from mirrored import check, events, wait_workload
from process import eventually
from testbed import sources

NS = "companions"  # as the gateway's setting says (gateway.py)
BOTH = {"secrets": "pull", "configmaps": "params-a"}


def grant(api, folder):
    for o in sources.manifests(ROOT / "config/kubernetes" / folder / "companions"):
        o["metadata"]["namespace"] = NS
        api.apply(o)


@pytest.fixture
def home(request):
    """The shared gateway; the namespace that may send things along, its rights on the workers, and what may be sent."""
    g = request.config.shared.get("mirror")
    for api in (g.api, *(w.api for w in g.workers)):
        api.wait(f"/api/v1/namespaces/{NS}", lambda o: not o or "deletionTimestamp" not in o["metadata"])
    add_mirrored_namespace(g, NS)
    wait_policy(g, NS)
    for w in g.workers:
        grant(w.api, "worker")
    g.api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull", "namespace": NS, "labels": {"of": "the-user"}}, "stringData": {"k": "s3cret"}})
    g.api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "params-a", "namespace": NS}, "data": {"k": "v"}})
    yield g
    for api in (g.api, *(w.api for w in g.workers)):
        api.delete(f"/api/v1/namespaces/{NS}")


def with_pull_secret(name, what, **more):
    j = job(name, NS, {RUN: "forever"}, annotations={"spillway.dev/companions": what}, **more)
    j["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": "pull"}]
    return j


def find(api, resource):
    return api.find(f"/api/v1/namespaces/{NS}/{resource}/{BOTH[resource]}")


def test_what_a_job_takes_along_is_there_while_it_runs_and_goes_with_it(home):
    without_the_right_to_read(home)
    grant(home.api, "mirror")
    home.api.create(with_pull_secret("a", "secret/pull, configmap/params-a"))
    home.api.wait(path(NS, "a"), count("ready", 1))
    w = holder(home, NS, "a")
    sent = eventually(lambda: find(w.api, "secrets"), "the Secret is there")
    assert base64.b64decode(sent["data"]["k"]) == b"s3cret" and "of" not in sent["metadata"]["labels"], "its contents only"
    assert eventually(lambda: find(w.api, "configmaps"), "the ConfigMap is there")["data"] == {"k": "v"}
    assert [o["name"] for o in sent["metadata"]["ownerReferences"]] == ["a"]
    for other in home.workers:
        assert other is w or not any(find(other.api, r) for r in BOTH), "nothing is sent where the job does not run"
    finish(w.api, NS, "a")
    home.api.wait(path(NS, "a"), lambda o: condition(o, "Complete"))
    for r in BOTH:
        assert eventually(lambda r=r: not find(w.api, r), f"{r} go with the job") is True
    assert all(find(home.api, r) for r in BOTH), "the user's own stay"
    refused_by_the_setting(home)


def without_the_right_to_read(g):
    """The manager's owner has not opened this namespace yet: the job runs without, and says how to mend it."""
    g.api.create(with_pull_secret("c", "secret/pull"))
    eventually(lambda: f"secret/pull was not sent along: the gateway may not read it on the manager (kubectl -n {NS} apply -k config/kubernetes/mirror/companions)"
               in events(g, NS, "CompanionRefused"), "an event names the command")
    w = holder(g, NS, "c")
    assert not find(w.api, "secrets")
    g.api.delete(path(NS, "c"))
    w.api.wait(path(NS, "c"), absent)


def refused_by_the_setting(g):
    g.api.create(job("b", NS, {RUN: "forever"}, annotations={"spillway.dev/companions": "secret/private"}))
    at = wait_workload(g, NS, "b", lambda o: "may not leave the manager" in (check(o) or {}).get("message", ""), "the job says what may not be sent")
    assert f"secret/private of namespace {NS}" in check(at)["message"]
    eventually(lambda: "secret/private" in events(g, NS, "NoClusterFits"), "so does an event")
    g.api.delete(path(NS, "b"))
