# SPDX-License-Identifier: Apache-2.0
"""When Kueue, on the manager or on a worker, holds a job back or takes its place away again: gates, and pods that are not ready in time."""
import contextlib
import socket

import pytest
import yaml
from conftest import add_mirrored_namespace, remove_namespace, wait_policy

from jobs import RUN, START, absent, condition, count, finish_all, gone_everywhere, holder, job, path, pods
from mirrored import check, events, evictions, queue, set_quota, wait_workload, workloads
from process import eventually

GATE = "kueue.x-k8s.io/admission-gated-by"


def test_a_gate_holds_a_job_back_and_its_removal_lets_it_go(mirror, ns):
    """Kueue's admission gates (beta in 0.19): no quota and no offer while one is there; the mirror has none."""
    mirror.api.create(job("gated", ns, {RUN: "forever"}, annotations={GATE: "test.dev/approval"}))
    mirror.api.create(job("free", ns, {RUN: "forever"}))
    mirror.api.wait(path(ns, "free"), count("ready", 1), what="a job without a gate that came later runs")
    at = wait_workload(mirror, ns, "gated", lambda o: True)
    assert not condition(at, "QuotaReserved") and not at["status"].get("nominatedClusterNames")
    name = at["metadata"]["name"]
    assert not any(o["metadata"]["name"] == name for w in mirror.workers for o in workloads(w.api, ns))
    mirror.api.patch(path(ns, "gated"), {"metadata": {"annotations": {GATE: None}}})
    mirror.api.wait(path(ns, "gated"), count("ready", 1))
    w = holder(mirror, ns, "gated")
    assert all(GATE not in o["metadata"].get("annotations", {}) for o in workloads(w.api, ns))
    for n in "gated", "free":
        mirror.api.delete(path(ns, n))
        gone_everywhere(mirror, ns, n)


def with_timeout(w, timeout):
    """The worker's Kueue is started again with this waitForPodsReady; returns its configuration before."""
    config = w.dir / "kueue.yaml"
    before = config.read_text()
    changed = yaml.safe_load(before)
    changed["waitForPodsReady"] = {"timeout": timeout, "requeuingStrategy": {"backoffBaseSeconds": 600}}
    restart(w, yaml.safe_dump(changed))
    return before


def restart(w, config):
    w.kill("kueue")
    (w.dir / "kueue.yaml").write_text(config)
    w.start("kueue")

    def answers():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", yaml.safe_load(config)["webhook"]["port"])):
            return True

    eventually(answers, "its webhooks answer again")


@pytest.mark.alone
def test_pods_that_are_not_ready_in_time_move_the_job_to_another_worker(own, ns):
    """waitForPodsReady of the worker's Kueue, for real: it evicts after 2 s; the job is dispatched anew, and its attempts are counted."""
    g = own("mirror")
    first, second = g.workers
    before = with_timeout(first, "2s")
    try:
        for api, cpu, checks in (g.api, 10, ["spillway"]), (first.api, 10, ()), (second.api, 0, ()):
            queue(api, ns, {"cpu": cpu}, checks)
        add_mirrored_namespace(g, ns, ns)
        wait_policy(g, ns)
        g.api.create(job("slow", ns, {START: "never"}))
        first.api.wait(path(ns, "slow"), lambda o: o and not o["spec"]["suspend"], what="it is started on the first")
        set_quota(second.api, ns, cpu=10)
        at = wait_workload(g, ns, "slow", lambda o: evictions(o) == 1 and o["status"].get("clusterName") == second.name, "moved to the other worker")
        assert "attempt 2" in check(at)["message"]
        eventually(lambda: "PodsReady timeout" in events(g, ns, "EvictedOnWorker"), "an event says that pods were not ready in time")
        first.api.wait(path(ns, "slow"), absent)
        assert eventually(lambda: not workloads(first.api, ns), "no mirror waits there for another try") is True
        second.api.wait(path(ns, "slow"), lambda o: o and not o["spec"]["suspend"])
        for p in pods(second.api, ns, "slow"):
            second.api.delete(f"/api/v1/namespaces/{ns}/pods/{p['metadata']['name']}")
        g.api.delete(path(ns, "slow"))
        gone_everywhere(g, ns, "slow")
    finally:
        restart(first, before)
        remove_namespace(g, ns)
        for api in g.api, first.api, second.api:
            api.delete(f"/apis/kueue.x-k8s.io/v1beta2/clusterqueues/{ns}")
