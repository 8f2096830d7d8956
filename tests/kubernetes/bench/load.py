# SPDX-License-Identifier: Apache-2.0
"""Submits jobs to the manager, sees them appear on the workers, and counts what that cost."""
import collections
import json
import os
import threading
import time
from dataclasses import dataclass

JOBS = "/apis/batch/v1/namespaces/default/jobs"
TICKS = os.sysconf("SC_CLK_TCK")


def job(name, queue):
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox", "command": ["true"], "resources": {"requests": {"cpu": "1"}}}]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default", "labels": {"kueue.x-k8s.io/queue-name": queue}},
            "spec": {"suspend": True, "managedBy": "kueue.x-k8s.io/multikueue", "parallelism": 1, "completions": 1, "template": {"spec": pod}}}


def usage(pid):
    """(seconds of processor time, resident MiB) of a process; None if it is gone."""
    try:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        pages = int(open(f"/proc/{pid}/statm").read().split()[1])
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS, pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@dataclass
class Result:
    jobs: int
    placed: int
    seconds: float
    latencies: list  # seconds from the submission to the Job's creation on a worker, sorted
    requests: dict  # (cluster, user agent) -> requests per job, all that were made during the burst
    to_start: dict  # the dispatcher's own until the Job is created on a worker: "manager" or "workers" -> per job, or nothing
    cpu_ms: dict  # process -> ms of processor time per job
    rss_mib: dict

    @property
    def rate(self):
        return self.placed / self.seconds if self.seconds else 0.0

    def quantile(self, q):
        return self.latencies[min(len(self.latencies) - 1, int(q * len(self.latencies)))] if self.latencies else float("nan")


class Arrivals:
    """When each job was first seen on a worker, by watching them all."""

    def __init__(self, workers, prefix):
        self.seen, self.prefix, self.changed, self.over = {}, prefix, threading.Condition(), False
        for w in workers:
            version = w.get(JOBS + "?limit=1")["metadata"]["resourceVersion"]
            threading.Thread(target=self.watch, args=(w, version), daemon=True).start()

    def watch(self, worker, version):
        for event, obj in worker.watch(JOBS, version=version, limit_s=3600):
            if self.over:
                return
            name = obj["metadata"].get("name", "")
            if event == "ADDED" and name.startswith(self.prefix):
                with self.changed:
                    self.seen.setdefault(name, time.monotonic())
                    self.changed.notify_all()

    def wait(self, n, limit_s):
        with self.changed:
            self.changed.wait_for(lambda: len(self.seen) >= n, limit_s)


class Audit:
    """Requests since it was made, from a server's audit log. Watches are not counted."""

    def __init__(self, path):
        self.path = path
        self.start = os.path.getsize(path) if os.path.exists(path) else 0
        self.rows = []  # (user agent, name of the object, verb, resource, when it came)

    def read(self):
        with open(self.path) as f:
            f.seek(self.start)
            for line in f:
                e = json.loads(line)
                if e.get("stage") in (None, "ResponseComplete") and e["verb"] != "watch":
                    ref = e.get("objectRef", {})
                    self.rows.append((e.get("userAgent", "").split("/")[0], ref.get("name", ""), e["verb"], ref.get("resource"), e["requestReceivedTimestamp"]))
        return self

    def counts(self):
        return collections.Counter(agent for agent, *_ in self.rows)


def job_of(name, prefix):
    """The job that an object is about: the Job itself, or its Workload (job-NAME-HASH)."""
    name = name.removeprefix("job-")
    number = name.removeprefix(prefix).split("-")[0] if name.startswith(prefix) else ""
    return prefix + number if number.isdigit() else None


def to_start(logs, agent, prefix):
    """Requests of one user agent per job, up to and with the creation of the Job on a worker."""
    mine = [(c, *row[1:]) for c, log in logs.items() for row in log.rows if row[0] == agent]
    started = {name: at for c, name, verb, resource, at in mine if c != "manager" and (verb, resource) == ("create", "jobs")}
    found = collections.Counter()
    for c, name, verb, resource, at in mine:
        if at <= started.get(job_of(name, prefix), ""):
            found["manager" if c == "manager" else "workers"] += 1
    return {where: n / len(started) for where, n in found.items()}


def submit(manager, queue, names, rate, submitted):
    started = time.monotonic()
    for i, name in enumerate(names):
        if rate:
            time.sleep(max(0.0, started + i / rate - time.monotonic()))
        submitted[name] = time.monotonic()
        manager.create(job(name, queue))


def run(manager, workers, queue, prefix, n, *, rate=0, threads=4, limit_s=300, pids=None, audits=None, agent=None):
    """One measurement. rate: jobs per second offered, 0: as fast as the manager takes them. agent: the dispatcher's user agent."""
    arrivals, submitted = Arrivals(workers, prefix), {}
    before = {p: usage(pid) for p, pid in (pids or {}).items()}
    logs = {c: Audit(path) for c, path in (audits or {}).items()}
    names = [f"{prefix}{i}" for i in range(n)]
    if rate:
        threads = 1
    started = time.monotonic()
    crew = [threading.Thread(target=submit, args=(manager, queue, names[i::threads], rate, submitted)) for i in range(threads)]
    for t in crew:
        t.start()
    for t in crew:
        t.join()
    arrivals.wait(n, max(1.0, limit_s - (time.monotonic() - started)))
    arrivals.over = True
    placed = dict(arrivals.seen)
    after = {p: usage(pid) for p, pid in (pids or {}).items()}
    done = max(len(placed), 1)
    both = [p for p in before if before[p] and after[p]]
    logs = {c: log.read() for c, log in logs.items()}
    return Result(jobs=n, placed=len(placed), seconds=(max(placed.values()) if placed else time.monotonic()) - started,
                  latencies=sorted(at - submitted[name] for name, at in placed.items()),
                  requests={(c, agent): count / done for c, log in logs.items() for agent, count in log.counts().items()},
                  to_start=to_start(logs, agent, prefix) if agent else {}, cpu_ms={p: (after[p][0] - before[p][0]) / done * 1000 for p in both}, rss_mib={p: after[p][1] for p in both})
