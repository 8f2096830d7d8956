# SPDX-License-Identifier: Apache-2.0
"""Dispatchers of Kueue workloads side by side on the same real clusters, in one run: about 25 minutes on two processors, 14 of them for MultiKueue as shipped.

Each contender dispatches the same Jobs of one cpu from a manager to three workers, with quota without end: first one by one (calm), then all
at once (burst). A job counts from its submission until its Job is created on a worker, seen by a watch there. Requests are counted from the API
servers' audit logs, processor time and memory from /proc. What is the same for all, and why:

  * Manager and workers run stock Kueue, its client limits and concurrency raised (1000 requests/s, 4 times the workers of each controller), so
    that none of them is the limit: on two processors the processors are. "As shipped" alone has the manager's Kueue and MultiKueue's remote
    clients (5 requests/s a kind) as they come; "raised" is the same binary with these clients at 1000 requests/s.
  * The job controller runs on workers: without it Kubernetes refuses Kueue's start of a Job, again and again. Pods are made and wait, since no
    scheduler runs.
  * The null dispatcher makes the writes that nobody can do without and nothing else; it is the ceiling.
  * etcd does not sync, the loader and all servers share the processors.
"""
import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import build  # noqa: E402
from bench import contenders, embedded, load, raised, report, waiting  # noqa: E402
from testbed.api import ApiError  # noqa: E402
from testbed.main import Testbed  # noqa: E402

DEFAULT = [c.name for c in contenders.ALL]
APART = [embedded.NAME, waiting.NAME]


def let_go(api, path, obj):
    """Its finalizers' owner may be gone; so may be the object."""
    try:
        api.patch(f"{path}/{obj['metadata']['name']}", {"metadata": {"finalizers": None}})
    except ApiError as e:
        if e.code != 404:
            raise


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
                        let_go(c.api, path, o)


def measure(site, c, n, rate, limit_s, prefix):
    pids = {**c.pids, **site.pids()}
    found = load.run(site.manager.api, [w.api for w in site.workers], c.name, prefix, n, rate=rate, limit_s=limit_s, pids=pids, audits=site.audits(), agent=c.agent)
    c.alive()
    return found


def take_turn(site, c, a, raised_binary):
    """One contender, from its installation to nothing left of it."""
    contenders.manager_kueue(site, c, raised_binary)
    c.install(site)
    c.pids = c.start(site)
    try:
        c.ready(site)
        calm = measure(site, c, a.calm, 0.5, a.calm * 4, f"{c.name}-calm-")
        burst = measure(site, c, a.burst, 0, a.limit, f"{c.name}-burst-")
    finally:
        c.stop(site)
    site.clean()
    return c, burst, calm


def side_by_side(a, chosen, say):
    before = report.machine()
    raised_binary = raised.make(say) if any(c.raised for c in chosen) else None
    where = a.dir or tempfile.mkdtemp(prefix="spillway-bench-")
    started = time.monotonic()
    site = Site(where, a.workers)
    try:
        say(f"  1 manager, {a.workers} workers up in {time.monotonic() - started:.0f} s")
        results = []
        for c in chosen:
            say(f"  {c.title} ...")
            results.append(take_turn(site, c, a, raised_binary))
    finally:
        site.bed.stop()
        if not a.dir:
            shutil.rmtree(where, ignore_errors=True)
    return report.document(results, before, a.workers, time.monotonic() - started)


def parse(argv):
    p = argparse.ArgumentParser(prog='make bench-kubernetes BENCH_ARGS="..."', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", help="comma separated, in any order: " + " ".join([*DEFAULT, *APART]) + f" (default: all but {' and '.join(APART)})")
    p.add_argument("-o", dest="output", choices=["table", "json"], default="table", help="json: one document with every figure; progress goes to stderr")
    p.add_argument("--burst", type=int, default=1000, help="jobs submitted at once, to each")
    p.add_argument("--calm", type=int, default=20, help="jobs submitted one by one, at half a job per second")
    p.add_argument("--limit", type=float, default=1200, help="seconds that one burst may take")
    p.add_argument("--workers", type=int, default=3)
    p.add_argument("--dir", help="keep the clusters' state and logs here")
    p.add_argument("--waiting", type=int, default=50000, help=f"jobs of {waiting.NAME}: the gateway's memory with so many that wait for quota")
    p.add_argument("--connections", type=int, default=8, help=f"of the loader of {embedded.NAME}")
    p.add_argument("--rounds", type=int, default=3, help=f"of {embedded.NAME}: each a burst beside the same Jobs created directly")
    return p.parse_args(argv)


def run_apart(a, name, measure_in):
    """A measurement with clusters of its own."""
    where = a.dir or tempfile.mkdtemp(prefix="spillway-bench-")
    try:
        return measure_in(pathlib.Path(where) / name)
    finally:
        if not a.dir:
            shutil.rmtree(where, ignore_errors=True)


def run_waiting(where, a, say):
    site = Site(where, 1)
    try:
        return waiting.run(site, a.waiting, say)
    finally:
        site.bed.stop()


def main(argv):
    a = parse(argv)
    asked = a.only.split(",") if a.only else DEFAULT
    known = {c.name: c for c in contenders.ALL}
    unknown = [n for n in asked if n not in [*known, *APART]]
    if unknown:
        sys.exit(f"--only: there is no {', '.join(unknown)}; there are {', '.join([*known, *APART])}")
    say = lambda text: print(text, file=sys.stderr, flush=True)
    build.build_all()
    out = {}
    chosen = [c() for n, c in known.items() if n in asked]
    if chosen:
        out["side_by_side"] = side_by_side(a, chosen, say)
    if embedded.NAME in asked:
        say(f"  {embedded.TITLE} ...")
        out[embedded.NAME] = run_apart(a, embedded.NAME, lambda where: embedded.run(where, a))
    if waiting.NAME in asked:
        say(f"  {waiting.TITLE} ...")
        out[waiting.NAME] = run_apart(a, waiting.NAME, lambda where: run_waiting(where, a, say))
    if a.output == "json":
        print(json.dumps(out, indent=1))
        return 0
    if chosen:
        report.show(out["side_by_side"])
    if embedded.NAME in asked:
        embedded.show(out[embedded.NAME])
    if waiting.NAME in asked:
        waiting.show(out[waiting.NAME])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
