# SPDX-License-Identifier: Apache-2.0
"""The embedded manager over real plain workers, beside what the same API servers take when the same Jobs are created on them directly.

The loader has as many connections in each run. Directly: Jobs that their controllers start at once, spread over the workers, or suspended ones,
which make no more work than their creation. Through spillway: the same Jobs in its queue. Runs alternate, because machines drift. A Job counts as
created or started when a watch on a worker shows it (or shows it unsuspended), as done when its completion is seen where it was submitted. Both
have the credentials of the shipped service account, so one flow control for both; the gateway runs only while it is measured.
"""
import json
import os
import pathlib
import statistics
import threading
import time

import yaml
from bench import load
from bench.contenders import ROOT, Process
from testbed.api import Api
from testbed.main import Testbed

NAME, TITLE = "embedded", "embedded manager, 3 plain workers"
GOAL = 0.60
WORKERS = 3
NODES = [{"name": "cpu", "count": 2, "cpu": "10000", "memory": "4000Gi", "resources": {"pods": "10000"}}]
QUEUE = "bench"


def manifest(name, queue=None, suspend=False):
    """What a user submits; without a queue, what spillway makes of it on a worker."""
    labels = {"kueue.x-k8s.io/queue-name": queue} if queue else {"spillway.dev/origin": "direct"}
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox", "command": ["true"], "resources": {"requests": {"cpu": "1"}}}]}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default", "labels": labels},
                       "spec": {"suspend": suspend, "parallelism": 1, "completions": 1, "template": {"spec": pod}}})


CREATED = {"created": lambda job: True, "started": lambda job: not job["spec"].get("suspend")}
DONE = {"done": lambda job: "completionTime" in job.get("status", {})}


class Seen:
    """When each Job first was what the checks say, by watching."""

    def __init__(self, prefix):
        self.at, self.prefix, self.changed, self.over = {}, prefix, threading.Condition(), False

    def watch(self, apis, checks):
        for api in apis:
            version = api.get(load.JOBS + "?limit=1")["metadata"]["resourceVersion"]
            threading.Thread(target=self.follow, args=(api, version, checks), daemon=True).start()

    def follow(self, api, version, checks):
        for event, job in api.watch(load.JOBS, version=version, limit_s=3600):
            if self.over:
                return
            name = job["metadata"].get("name", "")
            if event == "DELETED" or not name.startswith(self.prefix):
                continue
            for what, check in checks.items():
                if check(job):
                    with self.changed:
                        self.at.setdefault(what, {}).setdefault(name, time.monotonic())
                        self.changed.notify_all()

    def wait(self, what, n, until):
        with self.changed:
            self.changed.wait_for(lambda: len(self.at.get(what, {})) >= n, max(0, until - time.monotonic()))


class Run:
    """n Jobs created over so many connections, each at the next of the targets; how many a second came to what."""

    def __init__(self, workers, targets, prefix, n, connections, limit_s, queue=None, suspend=False):
        seen = Seen(prefix)
        if queue:
            seen.watch(workers, CREATED)
            seen.watch(targets, DONE)
        else:
            seen.watch(workers, {**CREATED, **DONE})
        bodies = [manifest(f"{prefix}{i}", queue, suspend) for i in range(n)]
        began = time.monotonic()
        crew = [threading.Thread(target=self.create, args=(targets, bodies, k, connections)) for k in range(connections)]
        for t in crew:
            t.start()
        for t in crew:
            t.join()
        for what in ["created"] if suspend else ["created", "started", "done"]:
            seen.wait(what, n, began + limit_s)
        seen.over = True
        self.left = {what: n - len(at) for what, at in seen.at.items() if len(at) < n}
        self.rates = {what: len(at) / (max(at.values()) - began) for what, at in seen.at.items()}

    @staticmethod
    def create(targets, bodies, first, step):
        for i in range(first, len(bodies), step):
            targets[i % len(targets)].call("POST", load.JOBS, bodies[i])


class Site:
    """The workers with everything a cluster has, and a gateway with the embedded manager."""

    def __init__(self, where):
        self.dir = pathlib.Path(where)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.bed = Testbed(where)
        self.bed.start([{"name": f"p{i + 1}", "pods": True, "nodes": NODES, "audit": False, "manifests_late": [str(ROOT / "config/kubernetes/worker/plain")],
                         "service_account": "spillway-system/spillway"} for i in range(WORKERS)])
        self.accounts = [self.dir / c.name / "spillway.kubeconfig" for c in self.bed.clusters.values()]
        self.admins = [c.api for c in self.bed.clusters.values()]
        self.home = self.dir / "gateway"
        self.gateway = None
        self.configure()

    def configure(self):
        self.home.mkdir()
        queue = (ROOT / "config/samples/queue.yaml").read_text().replace("team", QUEUE).replace('"2000"', '"1000000"').replace("16Ti", "4000Ti")
        (self.home / "queue.yaml").write_text(queue)
        settings = {"data_dir": str(self.home / "data"), "listen": "127.0.0.1:0", "bootstrap": [str(self.home / "queue.yaml")],
                    "clusters": [{"name": n, "kubeconfig": str(k), "worker": "plain"} for n, k in zip(self.bed.clusters, self.accounts)]}
        (self.home / "spillway.yaml").write_text(yaml.safe_dump(settings))

    def start(self):
        """The gateway runs only while it is measured. Returns where users submit."""
        binary = ROOT / os.environ.get("B", "build") / "spillway"
        self.gateway = Process([binary, "serve", "--config", self.home / "spillway.yaml"], self.home / "log", b"serving")
        return Api(self.home / "data" / "admin.kubeconfig")

    def stop_gateway(self):
        if self.gateway:
            self.gateway.stop()
        self.gateway = None

    def clean(self):
        for api in self.admins:
            api.call("DELETE", load.JOBS, {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}, timeout=300)
        for api in self.admins:
            wait_empty(api)

    def stop(self):
        self.stop_gateway()
        self.bed.stop()


def wait_empty(api, limit_s=120):
    """Until the garbage collector has taken the pods of deleted Jobs: the next run starts from the same."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end and api.get("/api/v1/namespaces/default/pods?limit=1")["items"]:
        time.sleep(0.2)


def measure_ours(site, a, prefix):
    """One burst through a fresh gateway that has dispatched a few jobs already, with its (ms of processor time per job, resident MiB)."""
    home = site.start()
    Run(site.admins, [home], f"warm-{prefix}", 30, a.connections, a.limit, QUEUE)
    before = load.usage(site.gateway.p.pid)
    ours = Run(site.admins, [home], prefix, a.burst, a.connections, a.limit, QUEUE)
    after = load.usage(site.gateway.p.pid)
    site.stop_gateway()
    site.clean()
    return ours, ((after[0] - before[0]) / a.burst * 1000, after[1])


def measure_direct(site, a, prefix, suspend=False):
    direct = Run(site.admins, [Api(k) for k in site.accounts], prefix, a.burst, a.connections, a.limit, suspend=suspend)
    site.clean()
    return direct


def measure(site, a):
    """Each round: direct, spillway, direct but suspended. Ends with a direct one, so that ours stand between two."""
    runs = {"direct": [], "spillway": [], "suspended": []}
    usage = []
    Run(site.admins, [Api(k) for k in site.accounts], "warm-", 30, a.connections, a.limit)
    site.clean()
    for i in range(a.rounds):
        runs["direct"].append(measure_direct(site, a, f"direct{i}-"))
        ours, used = measure_ours(site, a, f"ours{i}-")
        runs["spillway"].append(ours)
        usage.append(used)
        runs["suspended"].append(measure_direct(site, a, f"inert{i}-", True))
    runs["direct"].append(measure_direct(site, a, "direct-last-"))
    return runs, usage


def row(runs, figure, what, beside, theirs, goal=None):
    mean = lambda kind, word: statistics.mean(r.rates.get(word, 0.0) for r in runs[kind])
    ours, raw = mean("spillway", what), mean(beside, theirs)
    ratio = ours / raw if raw else 0.0
    return {"figure": figure, "spillway": ours, "direct": raw, "ratio": ratio, "goal": goal, "met": None if goal is None else ratio >= goal}


def summary(runs, usage, a):
    rows = [row(runs, "Jobs started, beside the same Jobs created", "started", "direct", "created", GOAL),
            row(runs, "Jobs created, beside suspended ones created", "created", "suspended", "created"),
            row(runs, "Jobs done and swept, beside Jobs done", "done", "direct", "done")]
    return {"name": NAME, "title": TITLE, "burst": a.burst, "connections": a.connections, "rounds": a.rounds, "rows": rows,
            "gateway_cpu_ms_per_job": statistics.mean(u[0] for u in usage), "gateway_rss_mib": max(u[1] for u in usage),
            "unfinished": [r.left for of in runs.values() for r in of if r.left],
            "runs": {kind: [r.rates for r in of] for kind, of in runs.items()}}


def show(s):
    print(f"\n  {s['title']}: bursts of {s['burst']} Jobs over {s['connections']} connections, {s['rounds']} rounds")
    print(f"  {'per second':46s} {'spillway':>9s} {'direct':>8s} {'ratio':>7s} {'goal':>7s}")
    for r in s["rows"]:
        goal = f"{r['goal'] * 100:.0f} %" if r["goal"] else ""
        word = "" if r["met"] is None else "met" if r["met"] else "MISSED"
        print(f"  {r['figure']:46s} {r['spillway']:9.1f} {r['direct']:8.1f} {r['ratio'] * 100:5.0f} % {goal:>7s}  {word}")
    print(f"  the gateway: {s['gateway_cpu_ms_per_job']:.1f} ms of processor time per job, {s['gateway_rss_mib']:.0f} MiB")
    for kind, of in s["runs"].items():
        print(f"    {kind:10s} " + "; ".join(", ".join(f"{what} {rate:.0f}" for what, rate in r.items()) for r in of))
    if s["unfinished"]:
        print(f"  missing at the limit: {s['unfinished']}")


def run(where, a):
    """One measurement from nothing to nothing; returns what summary() gives."""
    site = Site(where)
    try:
        return summary(*measure(site, a), a)
    finally:
        site.stop()
