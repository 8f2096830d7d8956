# SPDX-License-Identifier: Apache-2.0
"""What is shipped to be applied: kustomize and chart say the same, an API server takes it, and the policy marks the right jobs."""
import base64
import os
import subprocess

import pytest
import yaml

from process import ROOT, eventually, run

FOLDER = ROOT / "config" / "kubernetes"
KUBECTL = os.environ.get("KUBECTL", "")
ROLES = ["mirror", "nominate", "embedded"]
needs_kubectl = pytest.mark.skipif(not KUBECTL, reason="no kubectl")


@pytest.fixture(scope="session")
def helm():
    found = subprocess.run([ROOT / "tests/tools/helm.sh"], capture_output=True, text=True)
    if found.returncode:
        pytest.skip("no helm, and no Go to build it with")
    return found.stdout.strip()


def kustomize(folder):
    return [o for o in yaml.safe_load_all(run(KUBECTL, "kustomize", FOLDER / folder)) if o]


def rendered(helm, *more):
    return [o for o in yaml.safe_load_all(run(helm, "template", "spillway", FOLDER / "chart", "-n", "spillway-system", "--kube-version", "1.36.1", *more)) if o]


def where(folder):
    """The embedded role is tried where no other stands: a Deployment's strategy is not changed from one role's to another's by applying."""
    return "manager" if folder in ("mirror", "mirror-webhook", "nominate", "import-multikueue") else "w1"


def plain(obj):
    """What both must agree on: names that carry a hash, the image and the chart's own marks are left out."""
    o = yaml.safe_load(yaml.safe_dump(obj))
    o["metadata"].pop("labels", None)
    if o["kind"] == "ConfigMap":
        o["metadata"]["name"] = "spillway-config"
        o["data"] = {k: yaml.safe_load(v) if k == "spillway.yaml" else v.strip() for k, v in o["data"].items()}
    if o["kind"] == "Service":
        o["spec"].pop("type", None)
    if o["kind"] == "Deployment":
        pod = o["spec"]["template"]
        pod["metadata"].pop("annotations", None)
        for c in pod["spec"]["containers"]:
            c.pop("image", None)
            c.pop("imagePullPolicy", None)
        for v in pod["spec"]["volumes"]:
            if "configMap" in v:
                v["configMap"] = {"name": "spillway-config"}
    return o


def by_name(objects):
    return {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]): o for o in map(plain, objects)}


@needs_kubectl
@pytest.mark.parametrize("role", ROLES)
def test_the_chart_and_kustomize_say_the_same(helm, role):
    queue = (FOLDER / "embedded" / "queue.yaml").read_text()
    a = by_name(kustomize(role))
    b = by_name(rendered(helm, "--set", f"role={role}", *(["--set-literal", f"bootstrap={queue}"] if role == "embedded" else [])))
    a.pop(("Namespace", None, "spillway-system"))  # helm's own --create-namespace
    assert a.keys() == b.keys()
    for name in a:
        assert a[name] == b[name], name


def test_the_chart_is_sound_and_refuses_what_it_does_not_know(helm):
    run(helm, "lint", "--strict", FOLDER / "chart")
    wrong = run(helm, "template", "spillway", FOLDER / "chart", "--kube-version", "1.36.1", "--set", "role=mirorr", check=False)
    assert wrong.returncode and 'found "mirorr", expected mirror, nominate or embedded' in wrong.stderr
    made = rendered(helm, "--set-literal", "workers.w1.kubeconfig=apiVersion: v1", "--set", "workers.w1.settings.worker=kueue", "--set", "config.dispatch.lost_after=5m",
                    "--set", "monitoring.serviceMonitor=true", "--set", "admission.kind=none")
    secret = next(o for o in made if o["kind"] == "Secret")
    assert yaml.safe_load(secret["stringData"]["w1.yaml"]) == {"name": "w1", "worker": "kueue"} and secret["stringData"]["w1.kubeconfig"].strip() == "apiVersion: v1"
    settings = yaml.safe_load(next(o for o in made if o["kind"] == "ConfigMap")["data"]["spillway.yaml"])
    assert settings["dispatch"] == {"lost_after": "5m"} and settings["manager"]["role"] == "mirror"
    kinds = [o["kind"] for o in made]
    assert "ServiceMonitor" in kinds and "MutatingAdmissionPolicy" not in kinds


@needs_kubectl
@pytest.mark.parametrize("folder", [*ROLES, "worker/plain", "worker/kueue", "worker/nominate", "import-multikueue", "mirror-webhook"])
def test_an_api_server_takes_every_folder(bed, folder):
    cluster = bed[where(folder)]
    text = run(KUBECTL, "kustomize", FOLDER / folder).replace("CA_BUNDLE", base64.b64encode((bed.dir / "pki" / "ca.crt").read_bytes()).decode())
    out = run(KUBECTL, "--kubeconfig", cluster.kubeconfig, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=text)
    assert len(out.splitlines()) == len(kustomize(folder))


@needs_kubectl
def test_an_api_server_takes_the_chart(bed, helm):
    for role in ROLES:
        text = run(helm, "template", "spillway", FOLDER / "chart", "-n", "spillway-system", "--set", f"role={role}", "--kube-version", "1.36.1")
        run(KUBECTL, "--kubeconfig", bed[where(role)].kubeconfig, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=text)


# ---- the policy ---------------------------------------------------------------------------------

POD = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}]}}
SPEC, RUN = "spec", "runPolicy"  # where a kind keeps managedBy and suspend
JOBS = {
    "Job": ("batch/v1", SPEC, {"template": POD}),
    "JobSet": ("jobset.x-k8s.io/v1alpha2", SPEC, {"replicatedJobs": [{"name": "a", "template": {"spec": {"template": POD}}}]}),
    "TrainJob": ("trainer.kubeflow.org/v1alpha1", SPEC, {"runtimeRef": {"name": "r", "kind": "TrainingRuntime"}}),
    "RayCluster": ("ray.io/v1", SPEC, {"headGroupSpec": {"rayStartParams": {}, "template": POD}}),
    "RayJob": ("ray.io/v1", SPEC, {"entrypoint": "x", "shutdownAfterJobFinishes": True, "rayClusterSpec": {"headGroupSpec": {"rayStartParams": {}, "template": POD}}}),
    "AppWrapper": ("workload.codeflare.dev/v1beta2", SPEC, {"components": [{"template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **POD}}]}),
    "PyTorchJob": ("kubeflow.org/v1", RUN, {"pytorchReplicaSpecs": {"Master": {"replicas": 1, "template": POD}}}),
    "TFJob": ("kubeflow.org/v1", RUN, {"tfReplicaSpecs": {"Chief": {"replicas": 1, "template": POD}}}),
    "PaddleJob": ("kubeflow.org/v1", RUN, {"paddleReplicaSpecs": {"Worker": {"replicas": 1, "template": POD}}}),
    "XGBoostJob": ("kubeflow.org/v1", RUN, {"xgbReplicaSpecs": {"Master": {"replicas": 1, "template": POD}}}),
    "JAXJob": ("kubeflow.org/v1", RUN, {"jaxReplicaSpecs": {"Worker": {"replicas": 1, "template": POD}}}),
    "MPIJob": ("kubeflow.org/v2beta1", RUN, {"mpiReplicaSpecs": {"Launcher": {"replicas": 1, "template": POD}}}),
}


@pytest.fixture
def queues(bed, ns):
    """A namespace with a labelled LocalQueue `ours` and one without the label, `theirs`. Neither leads anywhere: nothing is admitted."""
    m = bed["manager"].api
    m.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
    for name, labels in (("ours", {"spillway.dev/dispatch": "true"}), ("theirs", {})):
        m.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": name, "namespace": ns, "labels": labels}, "spec": {"clusterQueue": "nowhere"}})
    m.apply({"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime", "metadata": {"name": "r", "namespace": ns}, "spec": {"template": {"spec": {
        "replicatedJobs": [{"name": "node", "template": {"spec": {"template": POD}}}]}}}})
    yield m
    m.delete(f"/api/v1/namespaces/{ns}")


def create(api, kind, ns, queue, **spec):
    version, where, body = JOBS[kind]
    made = api.create({"apiVersion": version, "kind": kind, "metadata": {"generateName": "j-", "namespace": ns, "labels": {"kueue.x-k8s.io/queue-name": queue} if queue else {}},
                       "spec": {**body, **spec}}, ns)
    return made["spec"] if where == SPEC else made["spec"].get("runPolicy", {})


OTHERS = {None, "trainer.kubeflow.org/trainjob-controller", "kubeflow.org/training-operator", "kubeflow.org/mpi-operator", "ray.io/kuberay-operator"}


@pytest.mark.parametrize("kind", JOBS)
def test_jobs_of_a_labelled_queue_are_marked_and_others_are_not(queues, ns, kind):
    marked = eventually(lambda: (s := create(queues, kind, ns, "ours")).get("managedBy") not in OTHERS and s, "the policy knows the queue", limit=20)
    assert marked["managedBy"] == "kueue.x-k8s.io/multikueue" and marked["suspend"] is True
    for queue in ("theirs", "absent", None):
        assert create(queues, kind, ns, queue).get("managedBy") in OTHERS, queue


def test_what_somebody_set_on_purpose_stays(queues, ns):
    eventually(lambda: create(queues, "Job", ns, "ours").get("managedBy"), "the policy knows the queue", limit=20)
    assert create(queues, "Job", ns, "ours", managedBy="acme.example/robot")["managedBy"] == "acme.example/robot"


def test_a_queue_called_default_marks_jobs_that_name_none(queues, ns):
    queues.apply({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": "default", "namespace": ns, "labels": {"spillway.dev/dispatch": "true"}},
                  "spec": {"clusterQueue": "nowhere"}})
    eventually(lambda: create(queues, "Job", ns, None).get("managedBy") == "kueue.x-k8s.io/multikueue", "Kueue's webhook named the queue, and the policy saw it", limit=20)
    assert create(queues, "Job", ns, "theirs").get("managedBy") is None
