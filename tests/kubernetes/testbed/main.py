# SPDX-License-Identifier: Apache-2.0
"""The command line of the testbed, see `up --help`."""
import argparse
import concurrent.futures
import ctypes
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

import yaml

from . import limits, nodes, sources
from .cluster import Cluster
from .control import Control
from .pki import Pki

ROOT = pathlib.Path(__file__).resolve().parents[3]
EPILOG = """
A cluster named `manager` gets Kueue and controllers; any other is a worker and gets scheduler, kwok and nodes as well.

examples:
  tests/kubernetes/up manager w1 w2                 a manager and two Kueue workers, job kinds: batch/v1 Job
  tests/kubernetes/up --plain w1 --plain w2 w1 w2   two plain workers, no Kueue anywhere
  tests/kubernetes/up --kinds jobset,kubeflow --queues manager w1 w2
  tests/kubernetes/up --kueue kueue-0.18 manager w1
  tests/kubernetes/up --spec site.yaml              everything as it says: {clusters: [{name: ..., ...}]} (testbed/cluster.py names the keys)

While it runs, DIR/NAME/admin.kubeconfig is each cluster's; pods do as their annotations say (testbed/stages.yaml); the servers' logs and the
audit log lie beside. A server is killed and brought back with
  tests/kubernetes/ctl DIR kill w1 kube-apiserver       (SIGKILL)
  tests/kubernetes/ctl DIR start w1 kube-apiserver      (same port, same data)
  tests/kubernetes/ctl DIR snapshot manager before      and later: restore manager before
"""


class Testbed:
    """Owns the clusters; everything it started ends with it."""

    def __init__(self, where, users=("alice",)):
        self.dir = pathlib.Path(where)
        self.pki = Pki(self.dir / "pki", users)
        self.clusters = {}
        self.lock = threading.Lock()

    def start(self, specs, say=lambda line: None):
        """Starts all clusters at once."""
        made = []
        for i, spec in enumerate(specs):
            made.append(Cluster(spec, self.dir, self.pki))
            self.clusters[spec["name"]] = made[-1]
        started = time.monotonic()

        def one(c):
            c.start()
            say(f"{c.name} ready after {time.monotonic() - started:.1f} s: {' '.join(c.servers)}")

        with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
            for done in [pool.submit(one, c) for c in made]:
                done.result()

    def commands(self):
        def remove(cluster):
            self.clusters.pop(cluster).stop()
            shutil.rmtree(self.dir / cluster, ignore_errors=True)

        def of(method):
            def call(cluster, **more):
                return getattr(self.clusters[cluster], method)(**more)

            return call

        return {
            "clusters": lambda: list(self.clusters),
            "kill": lambda cluster, server, sig=signal.SIGKILL: self.clusters[cluster].kill(server, signal.Signals(sig)),
            "start": of("start_server"),
            "add_nodes": of("add_nodes"), "snapshot": of("snapshot"), "restore": of("restore"),
            "heal": of("heal"),
            "add": lambda spec: self.start([spec]), "remove": remove,
        }

    def stop(self):
        with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(Cluster.stop, self.clusters.values()))

    def dead(self):
        """Servers that ended although nobody told them to."""
        return [s for c in self.clusters.values() for s in c.servers.values() if s.died()]


def default_spec(name, i, a):
    """What a cluster named on the command line is made of."""
    manager = name == "manager"
    rights = ROOT / "config" / "kubernetes" / ("mirror" if manager else "worker/plain" if name in a.plain else "worker/kueue")
    spec = {"name": name, "kueue": None if name in a.plain else a.kueue, "kinds": [k for k in a.kinds.split(",") if k], "controllers": True, "pods": not manager,
            "nodes": [] if manager else nodes.default_nodes(i), "manifests": a.manifest, "manifests_late": [str(rights)], "service_account": "spillway-system/spillway", "audit": True}
    if a.dispatcher and manager:
        spec["kueue_config"] = {"multiKueue": {"dispatcherName": a.dispatcher}}
    if a.queues and spec["kueue"]:
        spec["manifests_late"].append(str(ROOT / "tests/kubernetes/objects" / ("manager-queues.yaml" if manager else "worker-queues.yaml")))
    return spec


def parse(argv):
    p = argparse.ArgumentParser(prog="tests/kubernetes/up", description="Starts real Kubernetes clusters on this machine and keeps them until it is ended.",
                                epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("clusters", nargs="*", help="names; `manager` is special")
    p.add_argument("--dir", help="where state goes (default: a new directory under the temporary one); emptied first")
    p.add_argument("--spec", help="a YAML file instead of names")
    p.add_argument("--plain", action="append", default=[], metavar="NAME", help="this one has no Kueue (may be repeated)")
    p.add_argument("--kueue", default="kueue", choices=["kueue", "kueue-0.18"], help="which Kueue")
    p.add_argument("--kinds", default="", help=f"CRDs besides batch/v1, comma separated: {' '.join(sources.KINDS)}")
    p.add_argument("--queues", action="store_true", help="flavor, ClusterQueue cq, LocalQueue lq in namespace default; on the manager with spillway's check")
    p.add_argument("--manifest", action="append", default=[], metavar="FILE", help="YAML applied on every cluster before Kueue starts (may be repeated)")
    p.add_argument("--dispatcher", help="multiKueue.dispatcherName of the manager, for the nominate role")
    p.add_argument("--with-parent", action="store_true", help="end when the process that started this one ends")
    a = p.parse_args(argv)
    if not a.clusters and not a.spec:
        p.error("name the clusters, for example: manager w1 w2")
    return a


def main(argv):
    a = parse(argv)
    if a.with_parent:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    say = lambda line: print(line, flush=True)
    try:
        sources.build.build_all()
    except sources.build.CannotBuild as e:
        print(f"not started: {e}", file=sys.stderr)
        return 77
    where = pathlib.Path(a.dir or tempfile.mkdtemp(prefix="spillway-testbed-")).absolute()
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    specs = yaml.safe_load(pathlib.Path(a.spec).read_text())["clusters"] if a.spec else [
        default_spec(n, [c for c in a.clusters if c != "manager"].index(n) if n != "manager" else 0, a) for n in a.clusters]
    over = threading.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: over.set())
    limits.raise_inotify(lambda line: print(line, file=sys.stderr, flush=True))
    bed = Testbed(where)
    code = 0
    try:
        bed.start(specs, say)
        Control(where / "control", bed.commands())
        for c in bed.clusters.values():
            say(f"  kubectl --kubeconfig {c.kubeconfig}")
        (where / "ready").write_text(str(os.getpid()))
        say("all up")
        told = set()
        while not over.wait(0.5):
            for s in bed.dead():
                if s.name not in told:
                    say(f"died: {s.name} ({s.log})")
                    told.add(s.name)
    except (RuntimeError, TimeoutError) as e:
        print(f"up: {e}", file=sys.stderr)
        code = 1
    finally:
        bed.stop()
    return code
