# SPDX-License-Identifier: Apache-2.0
"""What is compared: each dispatcher has an admission check, a queue and, where it is not Kueue itself, a process of its own."""
import base64
import os
import pathlib
import subprocess
import sys

import yaml
from testbed.kueue import CONCURRENCY, merge
from testbed.proc import wait_port

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FAST = {"clientConnection": {"qps": 1000, "burst": 1000}, "controller": {"groupKindConcurrency": {k: 4 * n for k, n in CONCURRENCY.items()}}}


class Contender:
    """name: of its check, its ClusterQueue cq-NAME and its LocalQueue NAME. kueue: changes of the manager's Kueue. agent: its user agent, if it is
    not Kueue's."""

    title = name = controller = ""
    parameters = agent = None
    kueue = FAST
    raised = False

    def check(self):
        spec = {"controllerName": self.controller}
        if self.parameters:
            spec["parameters"] = self.parameters
        return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "AdmissionCheck", "metadata": {"name": self.name}, "spec": spec}

    def install(self, site):
        """Its objects; called once."""
        site.manager.api.apply([self.check(), queue_objects(self.name, [self.name])[0], queue_objects(self.name)[1]])
        for w in site.workers:
            w.api.apply(queue_objects(self.name))

    def start(self, site):
        """Whatever must run; returns {name of process: pid} to be counted."""
        return {}

    def alive(self):
        """Raises if its process has ended."""

    def stop(self, site):
        pass

    def ready(self, site):
        site.manager.api.wait(f"/apis/kueue.x-k8s.io/v1beta2/clusterqueues/cq-{self.name}", lambda o: o and any(
            c["type"] == "Active" and c["status"] == "True" for c in o.get("status", {}).get("conditions", [])), what="the ClusterQueue is active")


def queue_objects(name, checks=()):
    spec = {"namespaceSelector": {}, "resourceGroups": [{"coveredResources": ["cpu"], "flavors": [
        {"name": "default", "resources": [{"name": "cpu", "nominalQuota": 1000000}]}]}]}
    if checks:
        spec["admissionChecksStrategy"] = {"admissionChecks": [{"name": c} for c in checks]}
    v = "kueue.x-k8s.io/v1beta2"
    return [{"apiVersion": v, "kind": "ClusterQueue", "metadata": {"name": f"cq-{name}"}, "spec": spec},
            {"apiVersion": v, "kind": "LocalQueue", "metadata": {"name": name, "namespace": "default"}, "spec": {"clusterQueue": f"cq-{name}"}}]


class Process:
    """A process of a contender; its first line of output that holds `sign` says that it is ready."""

    def __init__(self, argv, log, sign):
        self.log = open(log, "wb+")
        self.p = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in self.p.stdout:
            self.log.write(line)
            if sign in line:
                break
        else:
            raise RuntimeError(f"{argv[0]} ended with {self.p.wait()}: see {log}")
        self.pump = subprocess.Popen(["cat"], stdin=self.p.stdout, stdout=self.log)

    def alive(self):
        if self.p.poll() is not None:
            self.pump.wait()
            raise RuntimeError(f"{self.p.args[0]} ended with {self.p.returncode}: see {self.log.name}")

    def stop(self):
        self.p.terminate()
        self.p.wait()
        self.pump.wait()
        self.log.close()


class MultiKueue(Contender):
    controller = "kueue.x-k8s.io/multikueue"
    parameters = {"apiGroup": "kueue.x-k8s.io", "kind": "MultiKueueConfig", "name": "all"}

    def install(self, site):
        v = "kueue.x-k8s.io/v1beta2"
        for w in site.workers:
            config = base64.b64encode(pathlib.Path(w.kubeconfig).read_bytes()).decode()
            site.manager.api.apply([
                {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": w.name, "namespace": "kueue-system"}, "data": {"kubeconfig": config}},
                {"apiVersion": v, "kind": "MultiKueueCluster", "metadata": {"name": w.name},
                 "spec": {"clusterSource": {"kubeConfig": {"locationType": "Secret", "location": w.name}}}}])
        site.manager.api.apply([{"apiVersion": v, "kind": "MultiKueueConfig", "metadata": {"name": "all"}, "spec": {"clusters": [w.name for w in site.workers]}}])
        super().install(site)


class Shipped(MultiKueue):
    title, name, kueue = "MultiKueue as shipped", "mk-shipped", {}


class Raised(MultiKueue):
    title, name, raised = "MultiKueue, client limits raised", "mk-raised", True


class Null(Contender):
    title, name, controller, agent = "null dispatcher (the ceiling)", "null", "spillway.dev/null-dispatcher", "null-dispatcher"

    def start(self, site):
        site.manager.api.patch("/apis/kueue.x-k8s.io/v1beta2/admissionchecks/null/status", {"status": {"conditions": [
            {"type": "Active", "status": "True", "reason": "Active", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
        self.process = Process([sys.executable, HERE / "null.py", site.manager.kubeconfig, self.name, *(w.kubeconfig for w in site.workers)],
                               site.dir / "null.log", b"ready")
        return {"dispatcher": self.process.p.pid}

    def alive(self):
        self.process.alive()

    def stop(self, site):
        self.process.stop()


class Spillway(Contender):
    """Mirror role; the workers have Kueue."""

    title, name, controller, worker, agent = "spillway, workers with Kueue", "spillway", "spillway.dev/dispatch", "kueue", "spillway"

    def install(self, site):
        for c in (site.manager, *site.workers):
            c.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "spillway-system"}})
        for w in site.workers:
            if not w.api.find("/api/v1/nodes/big"):
                big = {"cpu": "1000000", "memory": "4000Ti", "pods": "1000000"}
                w.api.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "big"}})
                w.api.patch("/api/v1/nodes/big/status", {"status": {"capacity": big, "allocatable": big, "conditions": [
                    {"type": "Ready", "status": "True", "reason": "Bench", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
                     "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]}})
        super().install(site)

    def settings(self, site, home):
        """Everything else is as shipped: the policy, the log level, the request window."""
        return {"data_dir": str(home / "data"), "listen": "127.0.0.1:0",
                "manager": {"role": "mirror", "kubeconfig": str(site.manager.kubeconfig), "check": self.name},
                "clusters": [{"name": w.name, "kubeconfig": str(w.kubeconfig), "worker": self.worker} for w in site.workers]}

    def start(self, site):
        home = site.dir / self.name
        home.mkdir()
        (home / "spillway.yaml").write_text(yaml.safe_dump(self.settings(site, home)))
        self.process = Process([ROOT / os.environ.get("B", "build") / "spillway", "serve", "--config", home / "spillway.yaml"], home / "log", b"serving")
        return {"dispatcher": self.process.p.pid}

    def alive(self):
        self.process.alive()

    def stop(self, site):
        self.process.stop()
        # the next contender is another installation
        for c in (site.manager, *site.workers):
            c.api.delete("/api/v1/namespaces/spillway-system/configmaps/spillway-claim")
            c.api.call("DELETE", "/api/v1/namespaces/spillway-system/configmaps")
            c.api.call("DELETE", "/apis/coordination.k8s.io/v1/namespaces/spillway-system/leases")


class SpillwayPlain(Spillway):
    """The workers' Kueue is taken away for it, so it comes last."""

    title, name, worker = "spillway, plain workers", "spillway-plain", "plain"

    def start(self, site):
        for w in site.workers:
            without_kueue(w)
        return super().start(site)


def without_kueue(cluster):
    """Its API stays, its controllers and webhooks go for good."""
    cluster.servers["kueue"].stop()
    for kind in ("mutating", "validating"):
        cluster.api.call("DELETE", f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations")


def manager_kueue(site, contender, raised_binary):
    """Restarts the manager's Kueue as this contender wants it."""
    server = site.manager.servers["kueue"]
    config = yaml.safe_load((site.manager.dir / "kueue.yaml").read_text())
    shipped = site.__dict__.setdefault("shipped", (server.argv[0], config))
    config = merge(shipped[1], contender.kueue)
    server.stop()
    (site.manager.dir / "kueue.yaml").write_text(yaml.safe_dump(config))
    server.argv[0] = str(raised_binary) if contender.raised else shipped[0]
    server.start()
    wait_port(config["webhook"]["port"], server.alive)


ALL = [Null, Spillway, Raised, Shipped, SpillwayPlain]
