# SPDX-License-Identifier: Apache-2.0
"""A gateway among the real clusters: the embedded manager over the plain workers or over those with Kueue, or the mirror role."""
import os
import shutil
import signal

import yaml

from process import BUILD, ROOT, Process, run
from testbed.api import Api

CLAIM = "/api/v1/namespaces/spillway-system/configmaps/spillway-claim"
OWN = ["/api/v1/namespaces/spillway-system/configmaps/spillway", "/apis/coordination.k8s.io/v1/namespaces/spillway-system/leases/spillway"]
WORKERS = {"embedded": ["p1", "p2"], "mirror": ["w1", "w2"], "offers": ["w1", "w2"], "older": ["w18"]}
COMPANIONS = [{"namespace": "companions", "allow": ["secret/pull", "configmap/params-*"]}]
MANAGERS = {"mirror": "manager", "older": "manager18"}  # the mirror role's; "older" is the same with the previous minor of Kueue


def merge(base, over):
    return {**base, **{k: merge(base[k], v) if isinstance(v, dict) and isinstance(base.get(k), dict) else v for k, v in over.items()}}


class Gateway:
    """kind: embedded (over plain workers), offers (the same over those with Kueue) or mirror. `where` holds its configuration, data and log."""

    def __init__(self, kind, where, bed):
        self.kind, self.dir, self.bed = kind, where, bed
        self.workers = [bed[w] for w in WORKERS[kind]]
        self.manager = bed[MANAGERS[kind]] if kind in MANAGERS else None
        self.process = None

    def settings(self):
        own = {
            "data_dir": str(self.dir / "data"), "listen": "127.0.0.1:0", "log": {"level": "debug"},
            "clusters": [{"name": w.name, "kubeconfig": str(w.account), "worker": "plain" if self.kind == "embedded" else "kueue"} for w in self.workers],
        }
        if not self.manager:
            return {**own, "bootstrap": [str(ROOT / "config" / "samples" / "queue.yaml")]}
        # A slow machine needs more than 15 s to start a killed API server; a gateway that leads would end itself meanwhile.
        return {**own, "manager": {"role": "mirror", "kubeconfig": str(self.manager.account), "lease_duration": "2m"}, "companions": COMPANIONS}

    def make(self, **over):
        """A new installation: no data, and nobody's claim on the workers."""
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        (self.dir / "spillway.yaml").write_text(yaml.safe_dump(merge(self.settings(), over)))
        for w in self.workers:
            w.api.delete(CLAIM)
        if self.manager:
            for own in OWN:
                self.manager.api.delete(own)
        return self

    def start(self, binary="spillway", wait=True):
        self.process = Process(self.dir / "gateway.log", [*os.environ.get("SPILLWAY_WRAP", "").split(), BUILD / binary, "serve", "--config", self.dir / "spillway.yaml"])
        if wait:
            self.process.wait_for("serving")
            for w in self.workers:
                w.api.wait(CLAIM, bool)
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            code = self.process.stop(sig)
            self.process = None
            return code
        return 0

    def heal(self):
        """Undoes what was done to the servers around it."""
        for cluster in (self.manager, *self.workers):
            if cluster:
                cluster.heal()

    @property
    def kubeconfig(self):
        return self.dir / "data" / "admin.kubeconfig"

    @property
    def api(self):
        """Where users submit."""
        return self.manager.api if self.manager else Api(self.kubeconfig)

    def cli(self, *argv, **more):
        return run(BUILD / "spillway", *argv, "--kubeconfig", self.kubeconfig, **more)

    def text(self):
        return (self.dir / "gateway.log").read_text(errors="replace")


class Shared:
    """The gateways that tests share. With xdist the controller starts them and its workers only use them."""

    def __init__(self, bed, owner):
        self.bed, self.owner, self.running = bed, owner, {}

    def get(self, kind):
        g = Gateway(kind, self.bed.dir / "gateways" / kind, self.bed)
        if self.owner and kind not in self.running:
            self.running[kind] = g.make().start()
        return self.running.get(kind, g)

    def stop(self):
        codes = {kind: g.stop() for kind, g in self.running.items()}
        self.running = {}
        return codes
