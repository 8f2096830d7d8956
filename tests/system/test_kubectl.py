# SPDX-License-Identifier: Apache-2.0
"""Stock kubectl against `spillway demo --keep`: what users type, and what they read."""
import json
import subprocess

import pytest
import yaml

from conftest import KUBECTL, eventually, job

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture
def manifest(tmp_path):
    def write(obj, name="m.yaml"):
        path = tmp_path / name
        path.write_text(yaml.safe_dump(obj))
        return path

    return write


def test_apply_creates_then_is_unchanged_then_changes(kubectl, manifest):
    j = job("kc-apply", queue="held")
    assert "job.batch/kc-apply created" in kubectl("apply", "-f", manifest(j))
    assert "job.batch/kc-apply unchanged" in kubectl("apply", "-f", manifest(j))
    j["metadata"]["labels"]["team"] = "blue"
    j["spec"]["backoffLimit"] = 3
    assert "job.batch/kc-apply configured" in kubectl("apply", "-f", manifest(j))
    assert kubectl("get", "job", "kc-apply", "-o", "jsonpath={.metadata.labels.team}/{.spec.backoffLimit}") == "blue/3"
    kubectl("delete", "job", "kc-apply")


def test_server_side_apply_reports_conflicts(kubectl, manifest):
    j = job("kc-ssa", queue="held", backoffLimit=2)
    kubectl("apply", "--server-side", "--field-manager=one", "-f", manifest(j))
    j["spec"]["backoffLimit"] = 4
    refused = kubectl("apply", "--server-side", "--field-manager=two", "-f", manifest(j), check=False)
    assert refused.returncode != 0 and ".spec.backoffLimit" in refused.stderr
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=two", "-f", manifest(j))
    assert kubectl("get", "job", "kc-ssa", "-o", "jsonpath={.spec.backoffLimit}") == "4"
    kubectl("delete", "job", "kc-ssa")


def test_create_from_a_file_and_with_a_generated_name(kubectl, manifest):
    j = job("ignored")
    del j["metadata"]["name"]
    j["metadata"]["generateName"] = "kc-gen-"
    made = kubectl("create", "-f", manifest(j), "-o", "name").strip()
    assert made.startswith("job.batch/kc-gen-")
    again = kubectl("create", "-f", manifest(j), "-o", "name").strip()
    assert again != made
    kubectl("delete", made, again)


def test_create_job_namespace_secret_and_configmap_by_flags(kubectl):
    """These send protobuf from kubectl 1.32 on."""
    kubectl("create", "namespace", "kc-ns")
    kubectl("create", "configmap", "cm", "-n", "kc-ns", "--from-literal=a=1")
    kubectl("create", "secret", "generic", "s", "-n", "kc-ns", "--from-literal=password=x")
    assert kubectl("get", "cm", "cm", "-n", "kc-ns", "-o", "jsonpath={.data.a}") == "1"
    refused = kubectl("create", "job", "flags", "-n", "kc-ns", "--image=busybox", "--", "true", check=False)
    assert refused.returncode != 0 and "kueue.x-k8s.io/queue-name" in refused.stderr, "a job without a queue is refused with the label's name"
    kubectl("delete", "namespace", "kc-ns")
    eventually(lambda: kubectl("get", "namespace", "kc-ns", check=False).returncode != 0, "the namespace goes with what is in it")


def test_get_shows_the_columns_people_know(kubectl):
    head = kubectl("get", "jobs").splitlines()[0].split()
    assert head == ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"]
    assert "IMAGES" in kubectl("get", "jobs", "-o", "wide").splitlines()[0]
    assert kubectl("get", "jobs", "-A").splitlines()[0].startswith("NAMESPACE")
    assert "QUEUE" in kubectl("get", "workloads").splitlines()[0]
    assert "CLUSTERQUEUE" in kubectl("get", "localqueues").splitlines()[0]
    everything = kubectl("get", "all")
    assert "job.batch/pi" in everything
    assert yaml.safe_load(kubectl("get", "job", "pi", "-o", "yaml"))["kind"] == "Job"


def test_get_watch_sees_a_change(kubectl, demo, manifest):
    kubectl("apply", "-f", manifest(job("kc-watch", run_seconds="100000s")))
    p = subprocess.Popen([KUBECTL, "--kubeconfig", str(demo.kubeconfig), "get", "job", "kc-watch", "-w", "-o", "jsonpath={.metadata.labels.seen}{'\\n'}"],
                         stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() is not None
    kubectl("label", "job", "kc-watch", "seen=yes")
    for line in p.stdout:
        if line.strip() == "yes":
            break
    else:
        raise AssertionError("the watch ended before the change came")
    p.kill()
    p.wait()
    kubectl("delete", "job", "kc-watch")


def test_describe_shows_events_of_every_step(kubectl):
    text = kubectl("describe", "job", "pi")
    events = text[text.index("Events:"):]
    for reason in ("CreatedWorkload", "Placed", "Started", "FinishedWorkload"):
        assert reason in events, text
        assert reason in kubectl("events", "--for", "job/pi")
    workload = kubectl("get", "workloads", "-o", "name").split("job-pi-")[1].split()[0]
    order = [events.index(reason) for reason in ("CreatedWorkload", "Placed", "Started", "FinishedWorkload")]
    assert order == sorted(order), "the story is told in order"
    assert "QuotaReserved" in kubectl("describe", "workload", f"job-pi-{workload}")
    assert "Job/pi" in kubectl("get", "events").replace("job/pi", "Job/pi")


def test_explain_knows_the_fields(kubectl):
    assert "completions" in kubectl("explain", "job.spec")
    assert "runPolicy" in kubectl("explain", "pytorchjob.spec")
    assert "nodeSelector" in kubectl("explain", "job.spec.template.spec")


def test_logs_of_a_finished_job(kubectl):
    kubectl("wait", "--for=condition=complete", "job/pi", "--timeout=60s")
    assert kubectl("logs", "job/pi").startswith("3.14159265")


def test_logs_follow_a_running_job_to_its_end(kubectl, demo, manifest):
    kubectl("apply", "-f", manifest(job("kc-logs", run_seconds="100s", pod_annotations={"sim.spillway.dev/log": "first and last"})))
    assert "first and last" in kubectl("logs", "-f", "job/kc-logs", "--pod-running-timeout=60s")
    pod = json.loads(kubectl("get", "pods", "-l", "job-name=kc-logs", "-o", "json"))["items"][0]
    assert kubectl("logs", pod["metadata"]["name"], "--tail=1") == "first and last\n"
    assert "condition met" in kubectl("wait", "--for=condition=complete", "job/kc-logs", "--timeout=60s")
    kubectl("delete", "job", "kc-logs")


def test_a_running_job_is_changed_only_after_it_was_stopped(kubectl, manifest):
    kubectl("apply", "-f", manifest(job("kc-stop", run_seconds="100000s")))
    kubectl("wait", "--for=jsonpath={.status.active}=1", "job/kc-stop", "--timeout=60s")
    assert "use kubectl against the worker cluster that runs the pod" in kubectl("exec", "job/kc-stop", "--", "true", check=False).stderr
    refused = kubectl("patch", "job", "kc-stop", "-p", '{"spec":{"backoffLimit":1}}', check=False)
    assert refused.returncode != 0 and "spec.backoffLimit: field is immutable while the job runs" in refused.stderr
    assert "suspend it first" in refused.stderr
    stopped = kubectl("patch", "job", "kc-stop", "-p", '{"spec":{"suspend":true}}', check=False)
    assert stopped.returncode == 0 and "leaves its cluster" in stopped.stderr
    kubectl("wait", "--for=condition=suspended", "job/kc-stop", "--timeout=60s")
    kubectl("patch", "job", "kc-stop", "-p", '{"spec":{"backoffLimit":1}}')
    kubectl("patch", "job", "kc-stop", "-p", '{"spec":{"suspend":false}}')
    kubectl("wait", "--for=jsonpath={.status.active}=1", "job/kc-stop", "--timeout=60s")
    kubectl("delete", "job", "kc-stop")


def test_wait_for_completion_and_delete(kubectl, manifest):
    kubectl("apply", "-f", manifest(job("kc-wait", run_seconds="1s")))
    assert "condition met" in kubectl("wait", "--for=condition=complete", "job/kc-wait", "--timeout=60s")
    assert 'job.batch "kc-wait" deleted' in kubectl("delete", "job", "kc-wait")
    assert "NotFound" in kubectl("get", "job", "kc-wait", check=False).stderr


def test_wait_for_deletion(kubectl, demo, manifest):
    kubectl("apply", "-f", manifest(job("kc-gone", run_seconds="100000s")))
    p = subprocess.Popen([KUBECTL, "--kubeconfig", str(demo.kubeconfig), "wait", "--for=delete", "job/kc-gone", "--timeout=60s"], stdout=subprocess.PIPE)
    kubectl("delete", "job", "kc-gone", "--wait=false")
    assert p.wait(timeout=90) == 0


def test_label_annotate_and_three_kinds_of_patch(kubectl, manifest):
    kubectl("apply", "-f", manifest(job("kc-patch", queue="held")))
    kubectl("label", "job", "kc-patch", "a=b")
    kubectl("annotate", "job", "kc-patch", "note=hello")
    kubectl("patch", "job", "kc-patch", "-p", '{"spec":{"backoffLimit":1}}')
    kubectl("patch", "job", "kc-patch", "--type=merge", "-p", '{"metadata":{"labels":{"a":null,"c":"d"}}}')
    kubectl("patch", "job", "kc-patch", "--type=json", "-p", '[{"op":"test","path":"/spec/backoffLimit","value":1},{"op":"replace","path":"/spec/backoffLimit","value":2}]')
    got = json.loads(kubectl("get", "job", "kc-patch", "-o", "json"))
    assert got["spec"]["backoffLimit"] == 2
    assert "a" not in got["metadata"]["labels"] and got["metadata"]["labels"]["c"] == "d"
    assert got["metadata"]["annotations"]["note"] == "hello"
    wrong = kubectl("patch", "job", "kc-patch", "--type=json", "-p", '[{"op":"test","path":"/spec/backoffLimit","value":9}]', check=False)
    assert wrong.returncode != 0
    kubectl("delete", "job", "kc-patch")


def test_edit_changes_a_field(kubectl, manifest, tmp_path):
    kubectl("apply", "-f", manifest(job("kc-edit", queue="held", backoffLimit=2)))
    editor = tmp_path / "ed"
    editor.write_text("#!/bin/sh\nsed -i 's/backoffLimit: 2/backoffLimit: 5/' \"$1\"\n")
    editor.chmod(0o755)
    assert "edited" in kubectl("edit", "job", "kc-edit", env={"KUBE_EDITOR": str(editor)})
    assert kubectl("get", "job", "kc-edit", "-o", "jsonpath={.spec.backoffLimit}") == "5"
    kubectl("delete", "job", "kc-edit")


def test_diff_shows_only_the_change(kubectl, manifest):
    j = job("kc-diff", queue="held", backoffLimit=2)
    kubectl("apply", "-f", manifest(j))
    assert kubectl("diff", "-f", manifest(j), check=False).returncode == 0
    j["spec"]["backoffLimit"] = 3
    changed = kubectl("diff", "-f", manifest(j), check=False)
    assert changed.returncode == 1 and "+  backoffLimit: 3" in changed.stdout
    assert kubectl("get", "job", "kc-diff", "-o", "jsonpath={.spec.backoffLimit}") == "2", "a dry run must not store"
    kubectl("delete", "job", "kc-diff")


def test_auth_can_i(kubectl):
    assert kubectl("auth", "can-i", "create", "jobs").strip() == "yes"
    assert "admin" in kubectl("auth", "whoami")
    refused = kubectl("auth", "can-i", "create", "jobs", "--as=bob", check=False)
    assert refused.returncode != 0 and 'User "admin" cannot impersonate' in refused.stderr, "what is not offered is refused, not ignored"
    assert kubectl("auth", "can-i", "--list").splitlines()[1].split() == ["*.*", "[]", "[]", "[*]"]


def test_what_is_not_offered_is_refused_with_a_hint(kubectl):
    pod = kubectl("get", "pods", "-l", "job-name=pi", "-o", "name").strip()
    assert "create or delete the job" in kubectl("delete", pod, check=False).stderr
    assert "create or delete the job" in kubectl("run", "x", "--image=busybox", check=False).stderr
    assert kubectl("get", "jobs", "--field-selector", "spec.parallelism=1", check=False).returncode != 0


def test_api_resources_and_versions(kubectl):
    kinds = kubectl("api-resources", "-o", "name").split()
    for want in ("jobs.batch", "pytorchjobs.kubeflow.org", "workloads.kueue.x-k8s.io", "localqueues.kueue.x-k8s.io", "pods", "secrets"):
        assert want in kinds
    assert "spillway" in kubectl("version")


BAD = {
    "an unknown field": (lambda j: j["spec"].update(paralelism=2), 'unknown field "spec.paralelism"'),
    "a wrong type": (lambda j: j["spec"].update(parallelism="two"), "spec.parallelism"),
    "a GPU model that does not exist": (lambda j: j["metadata"]["annotations"].update({"spillway.dev/gpu": "H1000"}), "H100"),
    "a wish, misspelt": (lambda j: j["metadata"]["annotations"].update({"spillway.dev/gpu-memroy": "4Gi"}), 'did you mean "spillway.dev/gpu-memory"'),
    "data without a size": (lambda j: j["metadata"]["annotations"].update({"spillway.dev/data": "gs://b@europe-west4"}), "metadata.annotations[spillway.dev/data]"),
    "a negative quantity": (lambda j: j["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"].update(cpu="-1"), "cpu"),
    "an overflowing quantity": (lambda j: j["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"].update(memory="9999999999Ei"), "memory"),
    "no queue": (lambda j: j["metadata"].update(labels={}), "kueue.x-k8s.io/queue-name"),
    "a bad restart policy": (lambda j: j["spec"]["template"]["spec"].update(restartPolicy="Always"), "restartPolicy"),
    "another controller": (lambda j: j["spec"].update(managedBy="example.com/other"), "managedBy"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_with_its_path(kubectl, manifest, what):
    change, says = BAD[what]
    j = job("kc-bad")
    change(j)
    refused = kubectl("create", "-f", manifest(j), check=False)
    assert refused.returncode != 0
    assert says in refused.stderr, refused.stderr


def test_an_unknown_queue_warns_and_waits(kubectl, manifest):
    made = kubectl("create", "-f", manifest(job("kc-noqueue", queue="nobody")), check=False)
    assert made.returncode == 0 and "Warning:" in made.stderr and "nobody" in made.stderr
    kubectl("delete", "job", "kc-noqueue")
