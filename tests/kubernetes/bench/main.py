# SPDX-License-Identifier: Apache-2.0
"""make bench-kubernetes: dispatchers side by side on the same real clusters, in one run. See --help."""
import argparse
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import build  # noqa: E402
from bench import contenders, embedded, load, raised  # noqa: E402
from testbed.main import Testbed  # noqa: E402


class Site:
    """A manager and its workers, each etcd + kube-apiserver + Kueue. Workers have the job controller too: without it Kubernetes refuses
    Kueue's start of a Job, again and again. There is no scheduler: pods are made and wait."""

    def __init__(self, where, n_workers):
        self.dir = pathlib.Path(where)
        self.bed = Testbed(where)
        manager = {"name": "manager", "kueue": "kueue", "controllers": False}
        workers = [{"name": f"w{i + 1}", "kueue": "kueue", "controllers": ["job"], "kueue_config": contenders.FAST} for i in range(n_workers)]
        self.bed.start([manager, *workers])
        self.manager = self.bed.clusters["manager"]
        self.workers = [c for n, c in self.bed.clusters.items() if n != "manager"]
        flavor = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": "default"}}
        for c in self.bed.clusters.values():
            c.api.apply([flavor])

    def pids(self):
        return {f"{c.name} {name}": s.p.pid for c in self.bed.clusters.values() for name, s in c.servers.items()}

    def audits(self):
        return {c.name: str(c.dir / "audit.log") for c in self.bed.clusters.values()}

    def clean(self):
        """Back to no jobs: every contender starts from the same."""
        for c in self.bed.clusters.values():
            for path in ("/apis/batch/v1/namespaces/default/jobs", "/apis/kueue.x-k8s.io/v1beta2/namespaces/default/workloads",
                         "/api/v1/namespaces/default/pods"):
                c.api.call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}, timeout=300)
                for o in c.api.get(path)["items"]:
                    if o["metadata"].get("finalizers"):
                        c.api.patch(f"{path}/{o['metadata']['name']}", {"metadata": {"finalizers": None}})


def measure(site, c, n, rate, limit_s, prefix):
    pids = {**c.pids, **site.pids()}
    return load.run(site.manager.api, [w.api for w in site.workers], c.name, prefix, n, rate=rate, limit_s=limit_s, pids=pids, audits=site.audits())


def requests(result, clusters):
    """Requests per job of the dispatcher's own user agents, on these clusters together. The checks' own quota work by Kueue is in its agent."""
    return {agent: sum(v for (c, a), v in result.requests.items() if a == agent and c in clusters)
            for agent in {a for (c, a) in result.requests if c in clusters}}


def line(title, burst, calm, best):
    share = f"{burst.rate / best.rate * 100:5.0f} %" if best else "      "
    placed = f" ({burst.placed} of {burst.jobs} placed)" if burst.placed < burst.jobs else ""
    return (f"  {title:34s} {burst.rate:7.2f} {share}   {burst.quantile(.5):8.2f} {burst.quantile(.99):8.2f}   "
            f"{calm.quantile(.5) * 1000:7.0f} {calm.quantile(.99) * 1000:7.0f}{placed}")


def report(results, best):
    print(f"\n  {'':34s} {'jobs/s':>7s} {'of null':>7s}   {'burst p50':>8s} {'p99 s':>8s}   {'calm p50':>7s} {'p99 ms':>7s}")
    for c, burst, calm in results:
        print(line(c.title, burst, calm, best))
    print("\n  requests per job by user agent (manager | all workers), CPU ms per job, RSS")
    for c, burst, _ in results:
        workers = {k[0] for k in burst.requests} - {"manager"}
        show = lambda d: ", ".join(f"{a} {v:.1f}" for a, v in sorted(d.items(), key=lambda kv: -kv[1]) if v >= 0.05 and not a.startswith("testbed"))
        print(f"  {c.title}\n    manager: {show(requests(burst, {'manager'}))}\n    workers: {show(requests(burst, workers))}")
        shown = [p for p in ("dispatcher", "manager kueue", "manager kube-apiserver") if p in burst.cpu_ms]
        print("    " + "   ".join(f"{p}: {burst.cpu_ms[p]:.1f} ms, {burst.rss_mib[p]:.0f} MiB" for p in shown))


def parse(argv):
    p = argparse.ArgumentParser(prog="make bench-kubernetes BENCH_ARGS=...", description=__doc__)
    p.add_argument("--only", help="comma separated names: " + " ".join([*(c.name for c in contenders.ALL), embedded.NAME]))
    p.add_argument("--connections", type=int, default=8, help=f"of the loader of {embedded.NAME}")
    p.add_argument("--rounds", type=int, default=3, help=f"of {embedded.NAME}: each a burst beside the same Jobs created directly")
    p.add_argument("-o", dest="output", choices=["table", "json"], default="table")
    p.add_argument("--burst", type=int, default=1000, help="jobs submitted at once (slow contenders are stopped after --limit)")
    p.add_argument("--calm", type=int, default=30, help="jobs submitted one by one, at half a job per second")
    p.add_argument("--limit", type=float, default=150, help="seconds that one burst may take")
    p.add_argument("--workers", type=int, default=3)
    p.add_argument("--dir", help="keep the clusters' state and logs here")
    return p.parse_args(argv)


def run_embedded(a):
    where = a.dir or tempfile.mkdtemp(prefix="spillway-bench-")
    try:
        result = embedded.run(pathlib.Path(where) / embedded.NAME, a)
    finally:
        if not a.dir:
            shutil.rmtree(where, ignore_errors=True)
    print(json.dumps(result, indent=1)) if a.output == "json" else embedded.show(result)


def main(argv):
    a = parse(argv)
    chosen = [c() for c in contenders.ALL if not a.only or c.name in a.only.split(",")]
    build.build_all()
    if not a.only or embedded.NAME in a.only.split(","):
        run_embedded(a)
    if not chosen:
        return 0
    raised_binary = raised.make(print) if any(c.raised for c in chosen) else None
    where = a.dir or tempfile.mkdtemp(prefix="spillway-bench-")
    started = time.monotonic()
    site = Site(where, a.workers)
    results = []
    try:
        print(f"{platform.machine()}, {os.cpu_count()} processors; 1 manager, {a.workers} workers up in {time.monotonic() - started:.0f} s", flush=True)
        for c in chosen:
            print(f"  {c.title} ...", flush=True)
            contenders.manager_kueue(site, c, raised_binary)
            c.install(site)
            c.pids = c.start(site)
            c.ready(site)
            calm = measure(site, c, a.calm, 0.5, a.calm * 4, f"{c.name}-calm-")
            burst = measure(site, c, a.burst, 0, a.limit, f"{c.name}-burst-")
            results.append((c, burst, calm))
            c.stop(site)
            site.clean()
        best = next((b for c, b, _ in results if c.name == "null"), None)
        report(results, best)
    finally:
        site.bed.stop()
        if not a.dir:
            shutil.rmtree(where, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
