# SPDX-License-Identifier: Apache-2.0
"""`spillway plan` before submitting, and what `explain` says of the same job after."""
import copy
import json

import kubernetes
import pytest
import yaml

from conftest import BUILD, ROOT, Door, api_of, eventually, job, run

SPILLWAY = BUILD / "spillway"


def sample(name, new_name, **annotations):
    body = yaml.safe_load((ROOT / "config" / "samples" / name).read_text())
    body["metadata"]["name"] = new_name
    body["metadata"].setdefault("annotations", {}).update({f"spillway.dev/{k.replace('_', '-')}": v for k, v in annotations.items()})
    return body


def ask(demo, body, *argv, check=True):
    return run(SPILLWAY, "plan", "-f", "-", "--kubeconfig", demo.kubeconfig, *argv, stdin=yaml.safe_dump(body), check=check)


def answer(demo, body):
    return json.loads(ask(demo, body, "-o", "json"))[0]


def needs(demo, body):
    return answer(demo, body)["needs"]


def test_a_plan_names_place_price_and_start_and_changes_nothing(demo):
    body = sample("03-pytorch-h100.yaml", "planned")
    x = answer(demo, body)
    assert (x["choice"]["cluster"], x["choice"]["pool"], x["choice"]["now"]) == ("gke", "h100", False)
    assert x["choice"]["priceHour"] > 100 and x["choice"]["expectedStartSeconds"] >= 0
    assert x["steps"][0]["candidates"] == [{"cluster": "gke", "pool": "h100"}]
    assert len(x["policyHash"]) == 16 and x["policy"].endswith("burst.lua")
    by_pool = {c["pool"]: c for c in x["candidates"]}
    assert by_pool["v100"]["verdict"] == "never" and by_pool["h100"]["verdict"] == "later" and by_pool["h100"]["nodesNeeded"] == 2
    shown = ask(demo, body)
    assert "Would go   gke/h100, $" in shown and "CLUSTER" in shown and "\x1b" not in shown
    with pytest.raises(kubernetes.client.ApiException) as gone:
        kubernetes.client.CustomObjectsApi(api_of(demo.kubeconfig)).get_namespaced_custom_object("kubeflow.org", "v1", "default", "pytorchjobs", "planned")
    assert gone.value.status == 404


def test_what_would_have_to_change_is_said_and_is_true(demo):
    dear = answer(demo, sample("03-pytorch-h100.yaml", "dear", max_price="10.00"))
    price = next(c["priceHour"] for c in answer(demo, sample("03-pytorch-h100.yaml", "dear"))["candidates"] if c["pool"] == "h100")
    assert "choice" not in dear
    assert dear["needs"][0].startswith(f"raise spillway.dev/max-price to {price:.2f} (gke/h100 costs $")
    raised = dear["needs"][0].split(" to ")[1].split()[0]
    assert answer(demo, sample("03-pytorch-h100.yaml", "dear", max_price=raised))["choice"]["pool"] == "h100"
    assert needs(demo, sample("06-impossible.yaml", "never"))[0].startswith("accept another GPU in spillway.dev/gpu: ")


def test_a_job_that_the_gateway_would_refuse_is_refused_by_plan_as_well(demo):
    wrong = ask(demo, sample("03-pytorch-h100.yaml", "wrong", gpu="H1000"), check=False)
    assert wrong.returncode == 1 and "spillway.dev/gpu" in wrong.stderr
    body = job("held", queue="nowhere")
    assert "nowhere" in answer(demo, body).get("queueWhy", "")
    nothing = ask(demo, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}, check=False)
    assert nothing.returncode == 1 and "no object in it is a job" in nothing.stderr


def test_a_submitter_plans_in_its_own_namespaces_only(demo):
    def user(name, namespaces):
        text = run(SPILLWAY, "user", "add", name, "--role", "submitter", "--namespaces", namespaces, "--kubeconfig", demo.kubeconfig)
        where = demo.dir / f"{name}.kubeconfig"
        where.write_text(text)
        return Door(where)

    body = job("mine")
    assert user("planner", "default").call("POST", "/spillway/v1/plan", body)[0] == 200
    status, said = user("stranger", "elsewhere").call("POST", "/spillway/v1/plan", body)
    assert status == 403 and "may not see namespace default" in said["message"]
    door = Door(demo.kubeconfig)
    for wrong in ({}, {"kind": "Job"}, {**body, "metadata": {"namespace": ["a"]}}, {**copy.deepcopy(body), "spec": 7}):
        assert door.call("POST", "/spillway/v1/plan", wrong)[0] in (400, 422), wrong
    assert door.call("GET", "/spillway/v1/plan")[0] == 405


def test_explain_names_the_policy_that_decided_and_what_is_missing(demo):
    kubernetes.client.BatchV1Api(api_of(demo.kubeconfig)).create_namespaced_job("default", job("explained", "600s"))
    explain = [SPILLWAY, "explain", "job/explained", "--kubeconfig", demo.kubeconfig]
    x = eventually(lambda: (lambda x: x if x.get("cluster") else None)(json.loads(run(*explain, "-o", "json"))), "it is placed")
    assert x["decidedBy"] == x["policyHash"] and x["reason"] == "our own hardware can start it soon"
    shown = run(*explain)
    assert f"Policy     policies/burst.lua {x['policyHash']}" in shown
