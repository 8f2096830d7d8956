# SPDX-License-Identifier: Apache-2.0
"""The embedded manager over real plain workers: API server, job controller and scheduler are Kubernetes' own."""
import datetime
import json

from jobs import EXIT, RUN, TERMINATE, absent, condition, count, ended, finish, gone_everywhere, holder, job, path, pods
from process import eventually

ACCOUNT = "system:serviceaccount:spillway-system:spillway"


def test_a_job_runs_on_a_worker_and_its_result_comes_home(embedded, ns):
    embedded.api.create(job("pi", ns, {RUN: "300ms"}, parallelism=2, completions=4))
    done = embedded.api.wait(path(ns, "pi"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete") and done["status"]["succeeded"] == 4 and not done["status"].get("failed")
    gone_everywhere(embedded, ns, "pi")


def test_an_indexed_job_reports_its_indexes(embedded, ns):
    embedded.api.create(job("indexed", ns, {RUN: "100ms"}, parallelism=3, completions=3, completionMode="Indexed"))
    done = embedded.api.wait(path(ns, "indexed"), lambda o: o and ended(o) and o)
    assert condition(done, "Complete") and done["status"]["completedIndexes"] == "0-2"
    gone_everywhere(embedded, ns, "indexed")


def test_a_failing_job_fails_at_home_with_the_workers_reason(embedded, ns):
    embedded.api.create(job("bad", ns, {RUN: "100ms", EXIT: "3"}, backoffLimit=1))
    done = embedded.api.wait(path(ns, "bad"), lambda o: o and ended(o) and o)
    assert condition(done, "Failed")["reason"] == "BackoffLimitExceeded" and done["status"]["failed"] == 2
    gone_everywhere(embedded, ns, "bad")


def test_status_is_live_while_the_job_runs(embedded, ns):
    embedded.api.create(job("live", ns, {RUN: "forever"}, parallelism=2, completions=2))
    at = embedded.api.wait(path(ns, "live"), lambda o: o and o.get("status", {}).get("ready") == 2 and o)
    assert at["status"]["active"] == 2 and at["status"]["startTime"]
    w = holder(embedded, ns, "live")
    finish(w.api, ns, "live")
    done = embedded.api.wait(path(ns, "live"), lambda o: o and ended(o) and o)
    assert done["status"]["succeeded"] == 2


def test_logs_come_through_the_gateway(embedded, ns):
    embedded.api.create(job("talk", ns, {RUN: "forever"}))
    embedded.api.wait(path(ns, "talk"), count("ready", 1))
    assert "hello from a pod of the testbed" in embedded.cli("logs", "job/talk", "-n", ns)
    finish(holder(embedded, ns, "talk").api, ns, "talk")
    embedded.api.wait(path(ns, "talk"), ended)
    gone_everywhere(embedded, ns, "talk")
    assert "hello from a pod of the testbed" in embedded.cli("logs", "job/talk", "-n", ns), "kept after the copy went"


def test_a_deleted_job_takes_its_copy_and_pods_along(embedded, ns):
    embedded.api.create(job("stop", ns, {RUN: "forever", TERMINATE: "500ms"}, parallelism=3, completions=3))
    embedded.api.wait(path(ns, "stop"), count("ready", 3))
    embedded.api.delete(path(ns, "stop"))
    gone_everywhere(embedded, ns, "stop")
    embedded.api.wait(path(ns, "stop"), absent)


def test_a_job_suspended_by_its_user_stops_and_goes_on_later(embedded, ns):
    embedded.api.create(job("rest", ns, {RUN: "forever"}))
    embedded.api.wait(path(ns, "rest"), count("ready", 1))
    embedded.api.patch(path(ns, "rest"), {"spec": {"suspend": True}})
    gone_everywhere(embedded, ns, "rest")
    embedded.api.patch(path(ns, "rest"), {"spec": {"suspend": False}})
    embedded.api.wait(path(ns, "rest"), count("ready", 1))
    finish(holder(embedded, ns, "rest").api, ns, "rest")
    embedded.api.wait(path(ns, "rest"), lambda o: condition(o, "Complete"))


def test_a_gpu_request_goes_where_the_gpus_are_and_packs(embedded, ns):
    embedded.api.create(job("h", ns, {RUN: "forever"}, annotations={"spillway.dev/gpu": "H100"}, resources={"gpu": 2}, parallelism=2, completions=2))
    embedded.api.wait(path(ns, "h"), count("ready", 2))
    w = holder(embedded, ns, "h")
    assert w.name == "p2" and {p["spec"]["nodeName"] for p in pods(w.api, ns, "h")} == {"h100-0"}
    finish(w.api, ns, "h")
    embedded.api.wait(path(ns, "h"), lambda o: condition(o, "Complete"))


def test_a_job_that_fits_nowhere_says_why(embedded, ns):
    embedded.api.create(job("big", ns, {RUN: "forever"}, annotations={"spillway.dev/gpu": "V100"}, resources={"gpu": 16}))
    shown = eventually(lambda: [r for r in json.loads(embedded.cli("queue", "-o", "json")) if r["job"] == "big" and r.get("why")], "the queue says why")
    assert "V100" in shown[0]["why"] or "GPU" in shown[0]["why"] or "fit" in shown[0]["why"], shown
    assert not any(w.api.find(path(ns, "big")) for w in embedded.workers)


def test_the_claim_and_everything_else_is_done_with_the_shipped_rights(embedded, bed, ns):
    """Every request that a worker refused would be in its audit log."""
    embedded.api.create(job("rights", ns, {RUN: "100ms"}))
    embedded.api.wait(path(ns, "rights"), ended)
    gone_everywhere(embedded, ns, "rights")
    begun = datetime.datetime.fromtimestamp((embedded.dir / "spillway.yaml").stat().st_mtime, datetime.timezone.utc).isoformat()
    for w in embedded.workers:
        asked = [e for e in w.audit() if e["user"].get("username") == ACCOUNT and e["requestReceivedTimestamp"] > begun]
        refused = [(e["verb"], e["requestURI"]) for e in asked if e.get("responseStatus", {}).get("code") in (401, 403)]
        assert asked and not refused, refused
