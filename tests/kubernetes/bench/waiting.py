# SPDX-License-Identifier: Apache-2.0
"""The gateway's memory while very many jobs wait for quota, in mirror role on a real API server.

Kueue would take an hour to queue that many here, so its part is played: it is stopped, and each Job's Workload is made as Kueue leaves it when
the quota is used up (our check Pending, QuotaReserved False). The gateway starts when all are there, reads them, and is looked at.
"""
import itertools
import threading
import time

from bench import contenders, load

NAME, TITLE, GOAL_MIB = "waiting", "spillway, jobs that wait for quota", 150
WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/namespaces/default/workloads"
NOW = "2026-01-01T00:00:00Z"
THREADS = 8


def workload(job, check):
    m = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": m["name"], "uid": m["uid"], "controller": True, "blockOwnerDeletion": True}
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload",
            "metadata": {"name": f"job-{m['name']}-{m['uid'][:5]}", "namespace": "default", "ownerReferences": [owner], "labels": {"kueue.x-k8s.io/job-uid": m["uid"]}},
            "spec": {"active": True, "queueName": check, "priority": 0, "podSets": [{"name": "main", "count": 1, "template": job["spec"]["template"]}]}}


def status(check):
    waits = {"type": "QuotaReserved", "status": "False", "reason": "Pending", "lastTransitionTime": NOW,
             "message": "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default, 1 more needed"}
    return {"status": {"conditions": [waits], "admissionChecks": [{"name": check, "state": "Pending", "message": "", "lastTransitionTime": NOW}]}}


def fill(api, check, n):
    """n Jobs with their Workloads."""
    numbers, failed = itertools.count(), []

    def work():
        try:
            while (i := next(numbers)) < n:
                w = workload(api.create(load.job(f"waiting-job-{i}", check)), check)
                api.create(w)
                api.patch(f"{WORKLOADS}/{w['metadata']['name']}/status", status(check))
        except Exception as e:  # told by who waits for all
            failed.append(e)

    crew = [threading.Thread(target=work) for _ in range(THREADS)]
    for t in crew:
        t.start()
    for t in crew:
        t.join()
    if failed:
        raise failed[0]


def settled(pid, limit_s=300):
    """Usage once it does nothing more: it has read all that there is."""
    end, before = time.monotonic() + limit_s, load.usage(pid)
    while time.monotonic() < end:
        time.sleep(3)
        now = load.usage(pid)
        if now[0] - before[0] < 0.15:
            return now
        before = now
    return before


def run(site, n, say):
    contenders.without_kueue(site.manager)
    c = contenders.Spillway()
    c.install(site)
    started = time.monotonic()
    fill(site.manager.api, c.name, n)
    say(f"  {n} Jobs and Workloads made in {time.monotonic() - started:.0f} s")
    pid = c.start(site)["dispatcher"]
    try:
        started = time.monotonic()
        cpu_s, rss = settled(pid)
        c.alive()
    finally:
        c.process.stop()
    return {"name": NAME, "title": TITLE, "jobs": n, "rss_mib": rss, "cpu_s": cpu_s, "settled_s": time.monotonic() - started, "goal_mib": GOAL_MIB, "met": rss <= GOAL_MIB}


def show(r):
    print(f"\n  {r['title']}: {r['jobs']} on a real API server, Kueue's part played\n"
          f"  {'met' if r['met'] else 'MISSED':6s}  {r['rss_mib']:.0f} MiB resident (goal <= {r['goal_mib']}); all read with {r['cpu_s']:.1f} s of processor time")
