# SPDX-License-Identifier: Apache-2.0
"""spillway's own commands against `spillway demo --keep`: who may do what, who waits for what."""
import json

import pytest
import yaml

from conftest import BUILD, eventually, job, run

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture
def spillway(demo):
    def call(*argv, kubeconfig=None, check=True):
        return run(BUILD / "spillway", *argv, "--kubeconfig", kubeconfig or demo.kubeconfig, check=check)

    return call


def test_a_user_that_is_added_gets_in_and_one_that_is_removed_does_not(spillway, tmp_path):
    hers = tmp_path / "ada.kubeconfig"
    hers.write_text(spillway("user", "add", "ada", "--namespaces", "default"))
    spillway("queue", kubeconfig=hers)
    refused = spillway("user", "list", kubeconfig=hers, check=False)
    assert refused.returncode == 1 and "not an admin" in refused.stderr
    spillway("user", "remove", "ada")
    assert spillway("queue", kubeconfig=hers, check=False).returncode == 1


def test_gc_is_confirmed_for_clusters_that_are_there(spillway):
    assert "onprem" in spillway("gc", "--confirm", "onprem")
    assert 'there is no cluster "nowhere"' in spillway("gc", "--confirm", "nowhere", check=False).stderr


def test_the_queue_is_listed_in_its_order_and_explain_says_why_a_job_waits(spillway, kubectl):
    for name, queue in (("op-b", "held"), ("op-a", "held"), ("op-c", "nowhere")):
        kubectl("create", "-f", "-", stdin=yaml.safe_dump(job(name, queue=queue)))

    def rows():
        return [r for r in json.loads(spillway("queue", "-o", "json")) if r["job"].startswith("op-")]

    found = eventually(lambda: len(rows()) == 3 and rows(), "three rows")
    assert [(r["job"], r["queue"]) for r in found][2] == ("op-c", "nowhere")
    assert {r["job"] for r in found[:2]} == {"op-a", "op-b"}
    assert {r["why"] for r in found[:2]} == {"LocalQueue default/held is stopped"}
    why = json.loads(spillway("explain", "job/op-c", "-o", "json"))
    assert (why["state"], why["now"]) == ("Queued", "LocalQueue default/nowhere does not exist")
    kubectl("delete", "job", "op-a", "op-b", "op-c")


def test_explain_names_the_kind_that_was_meant(spillway):
    wrong = spillway("explain", "job/train", check=False)
    assert wrong.returncode == 1 and "there is a PyTorchJob of that name" in wrong.stderr


def test_a_waiting_job_is_placed_when_its_user_raises_the_price(spillway, kubectl):
    j = job("op-price", annotations={"spillway.dev/gpu": "L4", "spillway.dev/max-price": "0.01"}, run_seconds="1s")
    j["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "1"}}
    kubectl("create", "-f", "-", stdin=yaml.safe_dump(j))
    eventually(lambda: "no cluster can run this job" in spillway("explain", "job/op-price"), "a verdict")
    kubectl("annotate", "job", "op-price", "spillway.dev/max-price=50", "--overwrite")
    eventually(lambda: kubectl("get", "job", "op-price", "-o", "jsonpath={.status.succeeded}") == "1", "its end")
    kubectl("delete", "job", "op-price")
