# SPDX-License-Identifier: Apache-2.0
"""The command line as a person and as a script use it."""
import json
import os
import pty
import signal
import subprocess
import threading

import kubernetes
import pytest
import yaml

from conftest import BUILD, LIMIT, PATIENT, ROOT, Door, Process, api_of, eventually, job, run

SPILLWAY = BUILD / "spillway"
COMMANDS = [line.split()[0] for line in run(SPILLWAY, "--help").splitlines() if line.startswith("  ")] if SPILLWAY.exists() else []


def spillway(*argv, **more):
    return run(SPILLWAY, *argv, check=False, **more)


# ---- without a gateway ---------------------------------------------------------------------------------------


def test_help_lists_every_command():
    assert {"serve", "demo", "submit", "explain", "queue", "clusters", "pools", "logs", "user", "config", "version"} <= set(COMMANDS)
    nothing = spillway()
    assert nothing.returncode == 2 and nothing.stdout == "" and "Usage: spillway COMMAND" in nothing.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command):
    shown = spillway(command, "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    assert f"Usage: spillway {command}" in shown.stdout and f"Examples:\n  spillway {command}" in shown.stdout
    assert "-h, --help" in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 160
    wrong = spillway(command, "--no-such-option")
    assert wrong.returncode == 2 and wrong.stdout == "" and f"spillway {command}: there is no option --no-such-option" in wrong.stderr


WRONG = {
    "a misspelt command": (["quue"], 2, 'there is no command "quue", did you mean "queue"?'),
    "a misspelt option": (["queue", "--outptu", "json"], 2, "there is no option --outptu, did you mean --output?"),
    "an output that does not exist": (["queue", "-o", "yaml"], 2, '-o: found "yaml", expected table or json'),
    "an option without its value": (["serve", "--config"], 2, "--config needs a value: FILE"),
    "a word too many": (["queue", "now"], 2, 'found "now", expected only options'),
    "no word": (["explain"], 2, "expected one KIND/NAME"),
    "a kind that does not exist": (["explain", "pod/x"], 2, 'found "pod/x", expected KIND/NAME such as job/pi or pytorchjob/bert'),
    "a name that is empty": (["logs", "job/"], 2, "expected KIND/NAME"),
    "submit without a file": (["submit"], 2, "expected -f FILE"),
    "a file that is not there": (["submit", "-f", "/nowhere.yaml"], 1, "/nowhere.yaml: cannot open: No such file or directory"),
    "config without a verb": (["config", "chekc"], 2, 'found "chekc", expected check or print'),
    "user without a verb": (["user"], 2, "expected add NAME, remove NAME or list"),
    "no kubeconfig": (["queue", "--kubeconfig", "/nowhere"], 1, "/nowhere: cannot open: No such file or directory"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_use_is_explained(what):
    argv, code, says = WRONG[what]
    wrong = spillway(*argv)
    assert wrong.returncode == code and wrong.stdout == "" and says in wrong.stderr, wrong


def test_version_says_what_it_runs_on():
    of_file = (ROOT / "VERSION").read_text().strip()
    assert spillway("version").stdout.splitlines()[0].split() == ["spillway", of_file]
    assert spillway("--version").stdout == spillway("version").stdout
    assert json.loads(spillway("version", "-o", "json").stdout)["spillway"] == of_file


def test_config_print_shows_values_and_where_they_come_from(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("listen: 127.0.0.1:7443\nburst:\n  max_price_per_hour: 12.5\n")
    rows = {line.split()[0]: line for line in spillway("config", "print", file).stdout.splitlines() if line}
    assert "127.0.0.1:7443" in rows["listen"] and f"{file}:1:1" in rows["listen"]
    assert "12.5" in rows["burst.max_price_per_hour"] and f"{file}:3:3" in rows["burst.max_price_per_hour"]
    assert "default" in rows["data_dir"]
    assert json.loads(spillway("config", "print", file, "-o", "json").stdout)
    good = spillway("config", "check", file)
    assert good.returncode == 0 and "good: 0 clusters" in good.stdout


def test_the_example_configuration_is_good(tmp_path):
    file = tmp_path / "example.yaml"
    file.write_text(spillway("config", "print", "--example").stdout)
    checked = spillway("config", "check", file)
    assert checked.returncode == 0, checked.stderr
    settings = spillway("config", "print").stdout
    assert all(line.split()[0].split(".")[-1] in file.read_text() for line in settings.splitlines()[1:] if line), "every setting is in it"


# ---- with the demo ---------------------------------------------------------------------------------------------

in_demo = pytest.mark.xdist_group("demo")


@pytest.fixture
def ask(demo):
    def call(*argv, **more):
        return spillway(*argv, env={"SPILLWAY_KUBECONFIG": str(demo.kubeconfig), **more.pop("env", {})}, **more)

    return call


@in_demo
def test_the_demo_tells_its_story(demo):
    text = demo.text()
    for line in ("pi           1 pod, 0 GPUs", "impossible   1 pod, 16 GPUs: B200", "Pool gke/h100 grew from 0 to 2 nodes and is back at 0.",
                 "Pool aks/a100 grew from 0 to 4 nodes and is back at 0."):
        assert line in text, text
    assert "\033[" not in text, "no colours and no redrawing in a file"


@in_demo
def test_clusters_and_pools_are_tables_and_json(ask):
    table = ask("clusters")
    assert table.returncode == 0
    lines = table.stdout.splitlines()
    assert lines[0].split() == ["CLUSTER", "PROVIDER", "REGION", "STATE", "NODES", "GPUS", "FREE", "JOBS", "WHY"]
    assert [line.split()[:4] for line in lines[1:]] == [
        ["onprem", "sim", "on-prem", "Ready"], ["gke", "sim", "europe-west4", "Ready"], ["aks", "sim", "westeurope", "Ready"]]
    assert [c["name"] for c in json.loads(ask("clusters", "-o", "json").stdout)] == ["onprem", "gke", "aks"]
    pools = {(p["cluster"], p["pool"]): p for p in json.loads(ask("pools", "-o", "json").stdout)}
    assert pools["gke", "h100"]["model"] == "H100" and pools["gke", "h100"]["size"] == 0 and pools["gke", "h100"]["priceHour"] > 50
    assert pools["gke", "l4-spot"]["spot"] is True
    assert "$/NODE/H" in ask("pools").stdout.splitlines()[0]


@in_demo
def test_queue_shows_what_waits_and_why(ask):
    rows = {r["job"]: r for r in json.loads(ask("queue", "-o", "json").stdout)}
    assert "no cluster can run this job" in rows["impossible"]["why"]
    assert "pi" not in rows, "finished jobs are not in the queue"
    assert "impossible" in ask("queue").stdout


@in_demo
def test_explain_shows_every_candidate_with_its_verdict(ask):
    text = ask("explain", "job/impossible").stdout
    assert "16 GPUs: B200" in text and "policies/burst.lua" in text
    rows = json.loads(ask("explain", "job/impossible", "-o", "json").stdout)["candidates"]
    assert {(r["cluster"], r["pool"]) for r in rows} >= {("onprem", "v100"), ("gke", "h100"), ("aks", "a100")}
    assert all(r["verdict"] == "never" and r["reason"] for r in rows)
    assert "our own hardware can start it soon" in ask("explain", "job/pi").stdout
    assert "gke/h100" in ask("explain", "pytorchjob/train").stdout
    missing = ask("explain", "job/nope")
    assert missing.returncode == 1 and 'jobs.batch "nope" not found' in missing.stderr


@in_demo
def test_logs_of_one_pod_and_of_many(ask):
    assert ask("logs", "job/pi").stdout.startswith("3.14159265")
    many = ask("logs", "job/shards", "--tail", "1").stdout.splitlines()
    assert len(many) == 10 and all(line.startswith("[shards-") for line in many), many
    missing = ask("logs", "job/nope")
    assert missing.returncode == 1 and '"nope" not found' in missing.stderr
    waiting = ask("logs", "job/impossible")
    assert waiting.returncode == 1 and "has no pods yet; `spillway explain jobs/impossible` says what it waits for" in waiting.stderr


@in_demo
def test_submit_follows_to_the_end_and_ends_as_the_job_did(ask, tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump(job("cli-good", "1s")))
    good = ask("submit", "-f", file)
    assert good.returncode == 0, good.stderr
    lines = good.stdout.splitlines()
    assert lines[0] == "Job/cli-good submitted" and lines[-1] == "Job cli-good succeeded"
    assert any("CreatedWorkload" in line for line in lines) and any("Placed" in line and "onprem/" in line for line in lines), good.stdout
    file.write_text(yaml.safe_dump(job("cli-bad", "1s", pod_annotations={"sim.spillway.dev/exit-code": "3"}, backoffLimit=0)))
    bad = ask("submit", "-f", file)
    assert bad.returncode == 1 and bad.stdout.splitlines()[-1] == "Job cli-bad failed", bad
    again = ask("submit", "-f", file)
    assert again.returncode == 1 and again.stdout.splitlines()[-1] == "Job cli-bad failed", "a finished job is told at once"


@in_demo
def test_submit_reads_standard_input_and_several_objects(ask):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cli-config"}, "data": {"a": "1"}}
    both = yaml.safe_dump_all([config, job("cli-one", "1s"), job("cli-two", "1s")])
    done = ask("submit", "-f", "-", stdin=both)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if "submitted" in line or "succeeded" in line] == [
        "ConfigMap/cli-config submitted", "Job/cli-one submitted", "Job/cli-two submitted", "Job cli-one succeeded", "Job cli-two succeeded"]
    mixed = yaml.safe_dump_all([job("cli-three", "1s", pod_annotations={"sim.spillway.dev/exit-code": "1"}, backoffLimit=0), job("cli-four", "1s")])
    mixed = ask("submit", "-f", "-", stdin=mixed)
    assert mixed.returncode == 1 and "Job cli-three failed" in mixed.stdout and "Job cli-four succeeded" in mixed.stdout, mixed
    left = ask("submit", "--no-follow", "-f", "-", stdin=yaml.safe_dump(job("cli-left", queue="held")))
    assert left.returncode == 0 and left.stdout == "Job/cli-left submitted\n"


@in_demo
def test_submit_follows_in_the_namespace_of_the_manifest(ask, demo):
    api = api_of(demo.kubeconfig)
    kubernetes.client.CoreV1Api(api).create_namespace({"metadata": {"name": "cli-ns"}})
    at = ("kueue.x-k8s.io", "v1beta2")
    queue = {"apiVersion": "/".join(at), "kind": "LocalQueue", "metadata": {"name": "team"}, "spec": {"clusterQueue": "team"}}
    kubernetes.client.CustomObjectsApi(api).create_namespaced_custom_object(*at, "cli-ns", "localqueues", queue)
    j = job("cli-there", "1s")
    j["metadata"]["namespace"] = "cli-ns"
    done = ask("submit", "-f", "-", stdin=yaml.safe_dump(j))
    assert done.returncode == 0 and "Job cli-there succeeded" in done.stdout, done
    del j["metadata"]["namespace"]
    j["metadata"]["name"] = "cli-flag"
    done = ask("submit", "-n", "cli-ns", "-f", "-", stdin=yaml.safe_dump(j))
    assert done.returncode == 0 and "Job cli-flag succeeded" in done.stdout, done


@in_demo
def test_submit_says_what_is_wrong_with_a_manifest(ask, tmp_path):
    file = tmp_path / "m.yaml"
    for text, says in (("kind: [Job\n", "m.yaml:2:1"), ("", "holds no object"), ("kind: Job\n", "expected apiVersion, kind and metadata.name"),
                       (yaml.safe_dump(job("cli-wrong", paralelism=2)), 'unknown field "spec.paralelism"'),
                       (yaml.safe_dump({**job("cli-wrong"), "kind": "Jobb"}), "Jobb")):
        file.write_text(text)
        wrong = ask("submit", "-f", file)
        assert wrong.returncode == 1 and says in wrong.stderr, wrong


@in_demo
def test_submit_ends_when_its_job_is_deleted(ask, demo, tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump(job("cli-gone", "100000s")))
    p = Process(tmp_path / "out", [SPILLWAY, "submit", "-f", file, "--kubeconfig", demo.kubeconfig])
    p.wait_for("Placed")
    kubernetes.client.BatchV1Api(api_of(demo.kubeconfig)).delete_namespaced_job("cli-gone", "default", propagation_policy="Background")
    assert p.p.wait(timeout=LIMIT * PATIENT) == 1
    assert "Job cli-gone was deleted" in p.text()


@in_demo
def test_logs_follow_a_running_job(ask, demo, tmp_path):
    kubernetes.client.BatchV1Api(api_of(demo.kubeconfig)).create_namespaced_job("default", job("cli-logs", "100s"))
    eventually(lambda: ask("logs", "job/cli-logs").returncode == 0, "its pod has a log")
    followed = ask("logs", "job/cli-logs", "-f")
    assert followed.returncode == 0 and "done, exit code 0" in followed.stdout, followed


@in_demo
def test_users_are_listed(ask):
    made = ask("user", "add", "cli-user", "--namespaces", "default,research")
    assert made.returncode == 0 and yaml.safe_load(made.stdout)["kind"] == "Config"
    assert {"name": "cli-user", "role": "submitter", "namespaces": "default,research"} in json.loads(ask("user", "list", "-o", "json").stdout)
    assert ["cli-user", "submitter", "default,research"] in [line.split() for line in ask("user", "list").stdout.splitlines()]


def on_a_terminal(*argv, env):
    """What a command prints when its output is a terminal."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen([str(a) for a in argv], stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **env})
    os.close(theirs)
    text = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not more:
            break
        text += more
    os.close(ours)
    assert p.wait(timeout=LIMIT * PATIENT) == 0
    return text.decode()


@in_demo
def test_colours_only_on_a_terminal(ask, demo):
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"SPILLWAY_KUBECONFIG": str(demo.kubeconfig)}
    plain = subprocess.run([SPILLWAY, "clusters"], capture_output=True, text=True, env=env).stdout
    assert "\033[" not in plain
    coloured = on_a_terminal(SPILLWAY, "clusters", env=env)
    assert "\033[32mReady\033[0m" in coloured
    assert "\033[" not in on_a_terminal(SPILLWAY, "clusters", env={**env, "NO_COLOR": "1"})
    bare = coloured.replace("\033[32m", "").replace("\033[0m", "").replace("\r\n", "\n")
    assert bare == plain, "colours do not move columns"


# ---- serve -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_cleanly_though_watches_and_jobs_are_open(site, sig):
    s = site(log__format="json")
    g = s.start_gateway()
    batch = kubernetes.client.BatchV1Api(api_of(s.admin))
    batch.create_namespaced_job("default", job("runs", "100000s"))
    seen = []

    def watch():
        for event in kubernetes.watch.Watch().stream(batch.list_namespaced_job, "default"):
            seen.append(event["object"].status.active)
            if len(seen) > 200:
                return

    t = threading.Thread(target=lambda: watch_until_the_end(watch), daemon=True)
    t.start()
    eventually(lambda: 1 in seen, "the job runs and the watch sees it")
    assert g.stop(sig) == 0, g.text()[-2000:]
    lines = [json.loads(line) for line in g.text().splitlines()]
    assert any(line["msg"] == "stopping" for line in lines), lines[-3:]
    assert not [line for line in lines if line["level"].upper() == "ERROR"], "nothing to complain of"
    g = s.start_gateway()
    assert batch_active(s) == 1, "the job went on meanwhile"


def watch_until_the_end(watch):
    try:
        watch()
    except Exception:  # the gateway goes away under it
        pass


def batch_active(s):
    return eventually(lambda: kubernetes.client.BatchV1Api(api_of(s.admin)).read_namespaced_job("runs", "default").status.active, "it still runs")


def test_health_readiness_and_metrics(site):
    s = site()
    s.start_gateway()
    door = Door(s.admin)
    assert door.call("GET", "/healthz") == (200, "ok")
    eventually(lambda: door.call("GET", "/readyz")[0] == 200, "it is ready")
    status, text = door.call("GET", "/metrics")
    assert status == 200 and "# TYPE spillway_" in text
    assert door.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0] == 401, "metrics need a token"
    secrets = [token for token in (door.token,) if token in s.gateway.text()]
    assert not secrets, "no token is ever logged"
