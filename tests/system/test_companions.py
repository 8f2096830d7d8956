# SPDX-License-Identifier: Apache-2.0
"""Secrets that a job's pods name: missing ones are said before anything is sent, allowed ones are sent along and go with the job."""
import base64

import kubernetes
import pytest

from conftest import api_of, condition, eventually, job

ALLOW = [{"namespace": "default", "allow": ["secret/pull"]}]


def with_pull_secret(name, annotations=None, run="60s"):
    j = job(name, run_seconds=run, annotations=annotations)
    j["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": "pull"}]
    return j


class Home:
    """The gateway's API and the workers', as clients."""

    def __init__(self, site):
        site.start_gateway()
        self.site = site
        self.batch = kubernetes.client.BatchV1Api(api_of(site.admin))
        self.core = kubernetes.client.CoreV1Api(api_of(site.admin))
        self.workers = [kubernetes.client.CoreV1Api(api_of(site.dir / "sim" / f"{c['name']}.kubeconfig")) for c in site.spec["clusters"]]

    def secret(self, value="s3cret"):
        data = {"k": base64.b64encode(value.encode()).decode()}
        self.core.create_namespaced_secret("default", {"metadata": {"name": "pull"}, "data": data})

    def submit(self, body):
        self.batch.create_namespaced_job("default", body)

    def status(self, name):
        return kubernetes.client.ApiClient().sanitize_for_serialization(self.batch.read_namespaced_job(name, "default"))

    def events(self, name):
        return [e.message for e in self.core.list_namespaced_event("default").items if e.involved_object.name == name]

    def on_workers(self):
        """Contents of the Secret `pull` wherever it is."""
        found = []
        for w in self.workers:
            found += [base64.b64decode(s.data["k"]).decode() for s in w.list_namespaced_secret("default").items if s.metadata.name == "pull"]
        return found


@pytest.fixture
def home(site):
    def make(**settings):
        return Home(site(**settings))

    return make


def test_a_secret_that_is_missing_everywhere_is_named_before_anything_is_sent(home):
    h = home()
    h.submit(with_pull_secret("a"))
    eventually(lambda: any("Secret default/pull does not exist there" in m for m in h.events("a")), "an event that names it")
    assert not any(w.list_namespaced_pod("default").items for w in h.workers)


def test_an_allowed_secret_goes_along_and_goes_away_with_the_job(home):
    h = home(companions=ALLOW)
    h.secret()
    h.submit(with_pull_secret("a", {"spillway.dev/companions": "secret/pull"}))
    eventually(lambda: condition(h.status("a"), "Complete"), "the job ends")
    eventually(lambda: not h.on_workers(), "the Secret is gone from the workers")


def test_it_is_there_while_the_job_runs_and_a_restart_changes_nothing(home):
    h = home(companions=ALLOW)
    h.secret()
    h.submit(with_pull_secret("a", {"spillway.dev/companions": "secret/pull"}, run="1000000s"))
    eventually(lambda: (h.status("a").get("status") or {}).get("active"), "it runs")
    assert h.on_workers() == ["s3cret"]
    h.site.gateway.stop()
    h.site.start_gateway()
    again = Home.__new__(Home)
    again.__dict__.update(h.__dict__, batch=kubernetes.client.BatchV1Api(api_of(h.site.admin)), core=kubernetes.client.CoreV1Api(api_of(h.site.admin)))
    again.batch.delete_namespaced_job("a", "default", propagation_policy="Background")
    eventually(lambda: not h.on_workers(), "the Secret is gone from the workers")


def test_what_is_not_allowed_stays_and_the_job_says_so(home):
    h = home()
    h.secret()
    h.submit(with_pull_secret("a", {"spillway.dev/companions": "secret/pull"}))
    eventually(lambda: any("secret/pull of namespace default may not leave the manager" in m for m in h.events("a")), "an event that says so")
    assert not h.on_workers()
