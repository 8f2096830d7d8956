# SPDX-License-Identifier: Apache-2.0
"""The official Python client against `spillway demo --keep`."""
import kubernetes
import pytest
from kubernetes.client.rest import ApiException

from conftest import api_of, eventually, job

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture
def clients(demo):
    api = api_of(demo.kubeconfig)
    return kubernetes.client.BatchV1Api(api), kubernetes.client.CoreV1Api(api), kubernetes.client.CustomObjectsApi(api)


def test_a_job_from_creation_to_its_log(clients):
    batch, core, _ = clients
    made = batch.create_namespaced_job("default", job("py-run", "1s", pod_annotations={"sim.spillway.dev/log": "hello from python"}))
    assert made.spec.suspend is True and made.metadata.uid
    for event in kubernetes.watch.Watch().stream(batch.list_namespaced_job, "default", field_selector="metadata.name=py-run", timeout_seconds=60):
        status = event["object"].status
        if any(c.type == "Complete" and c.status == "True" for c in status.conditions or []):
            break
    else:
        raise AssertionError("the watch ended before the job did")
    pods = core.list_namespaced_pod("default", label_selector="batch.kubernetes.io/job-name=py-run").items
    assert len(pods) == 1 and pods[0].status.phase == "Succeeded"
    assert "hello from python" in eventually(lambda: core.read_namespaced_pod_log(pods[0].metadata.name, "default"), "the log was kept")
    batch.delete_namespaced_job("py-run", "default", propagation_policy="Background")
    with pytest.raises(ApiException) as gone:
        batch.read_namespaced_job("py-run", "default")
    assert gone.value.status == 404


def test_patch_replace_and_conflict(clients):
    batch, _, _ = clients
    batch.create_namespaced_job("default", job("py-patch", queue="held"))
    batch.patch_namespaced_job("py-patch", "default", {"metadata": {"labels": {"a": "b"}}})
    old = batch.read_namespaced_job("py-patch", "default")
    assert old.metadata.labels["a"] == "b"
    stale = batch.read_namespaced_job("py-patch", "default")
    old.metadata.labels["a"] = "c"
    batch.replace_namespaced_job("py-patch", "default", old)
    stale.metadata.resource_version = "1"
    with pytest.raises(ApiException) as conflict:
        batch.replace_namespaced_job("py-patch", "default", stale)
    assert conflict.value.status == 409
    batch.delete_namespaced_job("py-patch", "default")


def test_list_in_pages(clients):
    batch, _, _ = clients
    for i in range(5):
        batch.create_namespaced_job("default", job(f"py-page-{i}", queue="held"))
    seen, token = [], None
    while True:
        page = batch.list_namespaced_job("default", limit=2, _continue=token)
        assert len(page.items) <= 2
        seen += [j.metadata.name for j in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert len(seen) == len(set(seen)) and {f"py-page-{i}" for i in range(5)} <= set(seen)
    for i in range(5):
        batch.delete_namespaced_job(f"py-page-{i}", "default")


def test_custom_objects(clients):
    _, _, custom = clients
    queues = custom.list_namespaced_custom_object("kueue.x-k8s.io", "v1beta2", "default", "localqueues")
    assert [q["metadata"]["name"] for q in queues["items"]] == ["held", "team"]
    jobs = custom.list_namespaced_custom_object("kubeflow.org", "v1", "default", "pytorchjobs")
    assert jobs["items"], "the demo has a PyTorchJob"


def test_a_watch_of_an_old_version_says_gone(clients):
    batch, _, _ = clients
    with pytest.raises(ApiException) as gone:
        for _ in kubernetes.watch.Watch().stream(batch.list_namespaced_job, "default", resource_version="999999999", timeout_seconds=5):
            pass
    assert gone.value.status in (410, 504)
