# SPDX-License-Identifier: Apache-2.0
"""Starts the real binaries for the system tests: simulated workers and gateways, each on free ports in a directory of its own."""
import base64
import json
import os
import pathlib
import socket
import ssl
import urllib.parse

import kubernetes
import pytest
import yaml

from process import BUILD, LIMIT, PATIENT, ROOT, Process, eventually, run

KUBECTL = os.environ.get("KUBECTL", "")


def api_of(kubeconfig):
    return kubernetes.config.new_client_from_config(str(kubeconfig))


class Door:
    """Sends bytes to a gateway as no decent client would. Every answer is (HTTP status, Status object or text)."""

    def __init__(self, kubeconfig):
        k = yaml.safe_load(pathlib.Path(kubeconfig).read_text())
        cluster = k["clusters"][0]["cluster"]
        self.url = urllib.parse.urlparse(cluster["server"])
        self.tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        self.token = k["users"][0]["user"]["token"]

    def connect(self):
        plain = socket.create_connection((self.url.hostname, self.url.port), timeout=LIMIT)
        return self.tls.wrap_socket(plain, server_hostname=self.url.hostname)

    def head(self, method, path, *more, token=None, kind="application/json"):
        lines = [f"{method} {path} HTTP/1.1", "Host: spillway", f"Authorization: Bearer {token or self.token}", f"Content-Type: {kind}", *more]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def send(self, *parts):
        """All parts as they are; then what comes back until the server closes or the reply is whole."""
        with self.connect() as s:
            try:
                for part in parts:
                    s.sendall(part)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                pass  # it answered early and closed: the answer is still to be read
            return self.answer(s)

    @staticmethod
    def answer(s):
        raw = b""
        while True:
            head, gap, body = raw.partition(b"\r\n\r\n")
            length = [int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")]
            if gap and length and len(body) >= length[0]:
                break
            try:
                more = s.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                more = b""
            if not more:
                break
            raw += more
        if not raw:
            return 0, ""
        status = int(raw.split(b" ", 2)[1])
        try:
            return status, json.loads(body)
        except ValueError:
            return status, body.decode(errors="replace")

    def call(self, method, path, body=b"", **more):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(self.head(method, path, f"Content-Length: {len(body)}", "Connection: close", **more), body)


class Site:
    """Simulated workers that outlive gateways, and gateways over one data directory."""

    def __init__(self, where, spec=None):
        self.dir = pathlib.Path(where)
        self.spec = spec or {}
        self.sim = self.gateway = None

    def start_workers(self):
        spec = self.dir / "clusters.yaml"
        spec.write_text(yaml.safe_dump(self.spec))
        (self.dir / "sim").mkdir(exist_ok=True)
        self.sim = Process(self.dir / "sim.log", [BUILD / "spillway", "sim", "--spec", spec, "--dir", self.dir / "sim"])
        eventually(lambda: (self.dir / "sim" / "ready").exists() or self.sim.p.poll() is not None, "the simulated workers are ready")
        assert self.sim.p.poll() is None, self.sim.text()

    def write_config(self, data="data", **settings):
        names = [c["name"] for c in self.spec["clusters"]]
        config = {
            "data_dir": str(self.dir / data),
            "listen": "127.0.0.1:0",
            "log": {"level": "debug"},
            "dispatch": {"resync": "5s", "lost_after": "5s"},
            "burst": {"max_price_per_hour": 1000, "idle_release": "1s"},
            "clusters": [{"name": n, "provider": "sim", "kubeconfig": str(self.dir / "sim" / f"{n}.kubeconfig"), "burst": n != "onprem"} for n in names],
            "bootstrap": [str(ROOT / "config" / "samples" / "queue.yaml")],
        }
        for path, value in settings.items():
            group, _, key = path.partition("__")
            if key:
                config.setdefault(group, {})[key] = value
            else:
                config[group] = value
        self.config = self.dir / f"{data}.yaml"
        self.config.write_text(yaml.safe_dump(config))
        self.data = self.dir / data
        return self.config

    def start_gateway(self, binary="spillway", env=None, wait=True):
        self.gateway = Process(self.dir / "gateway.log", [BUILD / binary, "serve", "--config", self.config], env)
        if wait:
            self.gateway.wait_for("serving")
        return self.gateway

    @property
    def admin(self):
        return self.data / "admin.kubeconfig"

    def stop(self):
        codes = [p.stop() for p in (self.gateway, self.sim) if p]
        return codes


def small_spec(**more):
    """Two small clusters where pods run for a moment."""
    node = {"cpu": "32", "memory": "128Gi"}
    return {
        "timeScale": 100,
        "clusters": [
            {"name": "onprem", "cloud": "onprem", "region": "cern",
             "nodes": [{"name": "v100", "count": 2, "machine": "own", "gpu": "V100", "gpus": 4, "priceHour": 3, **node},
                       {"name": "t4", "count": 1, "machine": "own", "gpu": "T4", "gpus": 4, "priceHour": 1, **node}]},
            {"name": "gke", "cloud": "gke", "region": "europe-west4",
             "pools": [{"name": "h100", "machine": "a3-highgpu-8g", "zone": "europe-west4-b", "max": 4, "growSeconds": 20}]},
        ],
        **more,
    }


@pytest.fixture
def site(tmp_path):
    made = []

    def make(spec=None, **settings):
        s = Site(tmp_path, spec or small_spec())
        made.append(s)
        s.start_workers()
        s.write_config(**settings)
        return s

    yield make
    for s in made:
        s.stop()


def add_held_queue(kubeconfig):
    """A queue that admits nothing: jobs wait in it, and may be changed while they do."""
    api = kubernetes.client.CustomObjectsApi(api_of(kubeconfig))
    at = ("kueue.x-k8s.io", "v1beta2")
    queue = {"apiVersion": "/".join(at), "kind": "LocalQueue", "metadata": {"name": "held"}, "spec": {"clusterQueue": "team", "stopPolicy": "Hold"}}
    api.create_namespaced_custom_object(*at, "default", "localqueues", queue)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """`spillway demo --keep`, shared by the tests of one pytest worker."""
    where = tmp_path_factory.mktemp("demo")
    p = Process(where / "demo.log", [BUILD / "spillway", "demo", "--keep", "--dir", where / "d"])
    p.wait_for("kubectl --kubeconfig", 120)
    p.dir = where / "d"
    p.kubeconfig = where / "d" / "admin.kubeconfig"
    add_held_queue(p.kubeconfig)
    yield p
    assert p.stop() == 0, p.text()


@pytest.fixture
def kubectl(demo):
    if not KUBECTL:
        pytest.skip("no kubectl >= 1.29 and no Go >= 1.26 to build one")

    def call(*argv, **more):
        return run(KUBECTL, "--kubeconfig", demo.kubeconfig, "--cache-dir", demo.dir / "kubectl-cache", *argv, **more)

    return call


def job(name, run_seconds="20s", queue="team", annotations=None, pod_annotations=None, **spec):
    """A batch/v1 Job as a user writes it; run_seconds is what a simulated pod takes before scaling."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default", "labels": {"kueue.x-k8s.io/queue-name": queue}, "annotations": annotations or {}},
        "spec": {
            **spec,
            "template": {
                "metadata": {"annotations": {"sim.spillway.dev/run": run_seconds, **(pod_annotations or {})}},
                "spec": {"restartPolicy": "Never", "containers": [
                    {"name": "main", "image": "busybox", "command": ["true"], "resources": {"requests": {"cpu": "1", "memory": "64Mi"}}}]},
            },
        },
    }


def condition(obj, kind):
    for c in (obj.get("status") or {}).get("conditions") or []:
        if c["type"] == kind and c["status"] == "True":
            return c
    return None


def as_json(text):
    return json.loads(text)
