# SPDX-License-Identifier: Apache-2.0
"""API servers before 1.36: the gateway's webhook marks jobs of labelled queues. The policy that does it otherwise is taken away meanwhile."""
import base64
import json
import ssl
import urllib.request

import pytest
import yaml

from process import ROOT, eventually
from testbed.api import ApiError

pytestmark = pytest.mark.alone("mirror")
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
SHIPPED = ROOT / "config/kubernetes/mirror-webhook/webhook.yaml"


def url_of(g):
    return yaml.safe_load(g.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]


@pytest.fixture
def gateway(bed, own, ns):
    """A mirror gateway that is the webhook, no policy, and a namespace with the LocalQueues `ours` (labelled) and `theirs`."""
    m = bed["manager"].api
    bindings = m.get(f"{ADMISSION}/mutatingadmissionpolicybindings")["items"]
    for b in bindings:
        m.delete(f"{ADMISSION}/mutatingadmissionpolicybindings/{b['metadata']['name']}")
    g = own("mirror")
    hook = yaml.safe_load(SHIPPED.read_text())
    for h in hook["webhooks"]:
        h["clientConfig"] = {"url": url_of(g) + "/spillway/v1/mark", "caBundle": base64.b64encode((g.dir / "data" / "ca.crt").read_bytes()).decode()}
        h["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": ns}}
    m.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
    for name, labels in (("ours", {"spillway.dev/dispatch": "true"}), ("theirs", {})):
        m.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": name, "namespace": ns, "labels": labels}, "spec": {"clusterQueue": "nowhere"}})
    m.apply(hook)
    yield g
    m.delete(f"{ADMISSION}/mutatingwebhookconfigurations/spillway-managed-by")
    m.delete(f"/api/v1/namespaces/{ns}")
    for b in bindings:
        m.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": b["metadata"]["name"]}, "spec": b["spec"]})


POD = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}]}}


def create(api, ns, queue, kind="Job"):
    version, spec = {"Job": ("batch/v1", {"template": POD}), "PyTorchJob": ("kubeflow.org/v1", {"pytorchReplicaSpecs": {"Master": {"replicas": 1, "template": POD}}})}[kind]
    return api.create({"apiVersion": version, "kind": kind, "metadata": {"generateName": "j-", "namespace": ns, "labels": {"kueue.x-k8s.io/queue-name": queue} if queue else {}}, "spec": spec}, ns)["spec"]


def test_the_webhook_marks_what_the_policy_would(gateway, bed, ns):
    m = bed["manager"].api
    marked = eventually(lambda: (s := create(m, ns, "ours")).get("managedBy") and s, "the webhook is called", limit=20)
    assert marked["managedBy"] == "kueue.x-k8s.io/multikueue" and marked["suspend"] is True
    run = create(m, ns, "ours", "PyTorchJob")["runPolicy"]
    assert run["managedBy"] == "kueue.x-k8s.io/multikueue" and run["suspend"] is True
    assert create(m, ns, "theirs").get("managedBy") is None
    m.patch(f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{ns}/localqueues/theirs", {"metadata": {"labels": {"spillway.dev/dispatch": "true"}}})
    eventually(lambda: create(m, ns, "theirs").get("managedBy"), "a label that is set later counts", limit=20)


def test_the_webhook_takes_a_topology_out_of_workloads(gateway, bed, ns):
    """As the policy spillway-topology does; Workloads of other queues keep theirs."""
    m = bed["manager"].api

    def asked(queue):
        sets = [{"name": "main", "count": 1, "template": POD, "topologyRequest": {"required": "kubernetes.io/hostname", "podIndexLabel": "i"}}]
        made = m.create({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload", "metadata": {"generateName": "w-", "namespace": ns}, "spec": {"queueName": queue, "podSets": sets}}, ns)
        return made["spec"]["podSets"][0]["topologyRequest"]

    eventually(lambda: asked("ours") == {"podIndexLabel": "i"}, "the webhook is called", limit=20)
    assert asked("theirs")["required"] == "kubernetes.io/hostname"


def test_without_the_gateway_no_job_with_a_queue_is_created_unmarked(gateway, bed, ns):
    m = bed["manager"].api
    eventually(lambda: create(m, ns, "ours").get("managedBy"), "the webhook is called", limit=20)
    gateway.stop()
    with pytest.raises(ApiError) as refused:
        create(m, ns, "ours")
    assert refused.value.code == 500 and "mark.spillway.dev" in str(refused.value)
    assert create(m, ns, None)["suspend"] is False, "a job without a queue is nobody's business"


def test_anybody_may_ask_and_nobody_learns_anything(gateway):
    tls = ssl.create_default_context(cafile=str(gateway.dir / "data" / "ca.crt"))

    def post(body, path="/spillway/v1/mark"):
        try:
            return json.load(urllib.request.urlopen(urllib.request.Request(url_of(gateway) + path, body, {"Content-Type": "application/json"}), context=tls))
        except urllib.error.HTTPError as e:
            return json.load(e)

    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "namespace": "n", "object": {"apiVersion": "v1", "kind": "Pod"}}}
    assert post(json.dumps(review).encode())["response"] == {"uid": "u", "allowed": True}
    for hostile in (b"", b"[]", b"{", b"null", b'{"request": 1}', b"\xff" * 100):
        assert post(hostile)["kind"] == "Status"
    assert post(b"{}", "/spillway/v1/gc")["code"] == 401, "only this page is open"
