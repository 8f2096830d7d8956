# SPDX-License-Identifier: Apache-2.0
"""One cluster: etcd and kube-apiserver, and as asked controllers, scheduler, kwok and Kueue."""
import pathlib
import shutil
import signal
import time

from . import kueue, nodes, sources
from .api import Api, ApiError
from .proc import Server, free_port

CONTROLLERS = ["job", "namespace", "garbage-collector", "serviceaccount", "ttl-after-finished", "pod-garbage-collector", "deployment", "replicaset",
               "statefulset", "resourceclaim"]
AUDIT = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"


class Cluster:
    """spec: name, kueue (a name of build.SERVERS, or none), controllers (true, false or a list of names), pods (scheduler and kwok), nodes (rows of nodes.py), kinds (of sources.KINDS),
    frameworks, kueue_config, gates, manifests (YAML files, or directories with a kustomization.yaml, applied as admin before Kueue starts), manifests_late (at the end), service_account (NAMESPACE/NAME whose token a second kubeconfig holds),
    audit, fsync, apiserver_args."""

    def __init__(self, spec, where, pki):
        self.spec, self.name, self.pki = spec, spec["name"], pki
        self.kinds = spec.get("kinds", [])
        self.kueue_folder = sources.build.SERVERS[spec["kueue"]][0] if spec.get("kueue") else None
        self.dir = pathlib.Path(where) / self.name
        self.dir.mkdir(parents=True, exist_ok=True)
        self.kubeconfig = self.dir / "admin.kubeconfig"
        self.servers = {}
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.make_core()
        pki.kubeconfig(self.kubeconfig, self.name, self.url, pki.tokens["admin"])
        self.api = Api(self.kubeconfig)

    def server(self, short, argv, binary=None):
        binary = binary or short
        self.servers[short] = Server(f"{self.name}-{short}", self.dir / f"{short}.log", [sources.build.binary(binary), *argv])
        return self.servers[short]

    def make_core(self):
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.server("etcd", ["--data-dir", self.dir / "etcd", "--listen-client-urls", client, "--advertise-client-urls", client,
                             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                             f"--unsafe-no-fsync={str(not self.spec.get('fsync')).lower()}"])
        audit = []
        if self.spec.get("audit", True):
            (self.dir / "audit-policy.yaml").write_text(AUDIT)
            audit = ["--audit-policy-file", self.dir / "audit-policy.yaml", "--audit-log-path", self.dir / "audit.log", "--audit-log-maxsize", "0"]
        p = self.pki
        self.server("kube-apiserver", [
            "--etcd-servers", client, "--secure-port", self.port, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
            "--endpoint-reconciler-type", "none", "--tls-cert-file", p["tls.crt"], "--tls-private-key-file", p["tls.key"], "--client-ca-file", p["ca.crt"],
            "--token-auth-file", p["tokens.csv"], "--authorization-mode", "RBAC", "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", p["sa.key"], "--service-account-signing-key-file", p["sa.key"], "--disable-admission-plugins", "ServiceAccount,TaintNodesByCondition",
            "--service-cluster-ip-range", "10.0.0.0/24", "--cert-dir", self.dir / "certs", "--profiling=false", *audit, *self.spec.get("apiserver_args", [])])

    def start(self):
        """Everything, to the point where jobs can be submitted."""
        self.start_core()
        for kind in self.kinds:
            self.install_crds(sources.crds(kind))
        if self.kueue_folder:
            kueue.install(self)
        self.wait_crds()
        self.apply_files(self.spec.get("manifests", []))
        if self.kueue_folder:
            self.servers["kueue"] = kueue.start(self)
        controllers = self.spec.get("controllers", True)
        if controllers:
            self.start_controllers(CONTROLLERS if controllers is True else controllers)
        if self.spec.get("pods"):
            self.start_pods()
        self.api.wait("/api/v1/namespaces/default", bool)
        self.apply_files(self.spec.get("manifests_late", []))
        if self.spec.get("service_account"):
            self.write_account(self.spec["service_account"])

    def start_core(self):
        self.servers["etcd"].start()
        self.servers["kube-apiserver"].start()
        self.wait_ready()

    def wait_ready(self, limit_s=180):
        end = time.monotonic() + limit_s
        while True:
            try:
                if self.api.call("GET", "/readyz") == "ok":
                    return
            except (OSError, ApiError):
                pass
            for s in ("etcd", "kube-apiserver"):
                self.servers[s].alive()
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name}: not ready in {limit_s} s; the end of its log:\n{self.servers['kube-apiserver'].tail()}")
            time.sleep(0.1)

    def start_controllers(self, names):
        self.server("kube-controller-manager", [
            "--kubeconfig", self.kubeconfig, "--bind-address", "127.0.0.1", "--secure-port", free_port(), "--leader-elect=false",
            "--controllers", ",".join(c + "-controller" for c in names),
            "--service-account-private-key-file", self.pki["sa.key"], "--cert-dir", self.dir / "kcm-certs", "--kube-api-qps", 500, "--kube-api-burst", 1000]).start()

    def start_pods(self):
        self.server("kube-scheduler", ["--kubeconfig", self.kubeconfig, "--bind-address", "127.0.0.1", "--secure-port", free_port(), "--leader-elect=false",
                                       "--cert-dir", self.dir / "scheduler-certs"]).start()
        port = free_port()
        config = nodes.kwok_config(self.dir / "kwok.yaml", self.dir / "pod.log")
        self.server("kwok", ["--kubeconfig", self.kubeconfig, "--config", config, "--manage-all-nodes=true", "--node-lease-duration-seconds", 0, "--node-ip", "127.0.0.1",
                             "--node-port", port, "--server-address", f"127.0.0.1:{port}", "--tls-cert-file", self.pki["tls.crt"],
                             "--tls-private-key-file", self.pki["tls.key"]]).start()
        self.add_nodes(self.spec.get("nodes", []))

    def add_nodes(self, rows):
        """Creates nodes, and waits until kwok has made them ready."""
        names = nodes.add_nodes(self.api, rows)
        for name in names:
            self.api.wait(f"/api/v1/nodes/{name}", nodes.ready, what=f"node ready; kwok says:\n{self.servers['kwok'].tail()}")
        return names

    def install_crds(self, crds):
        self.waiting = [*getattr(self, "waiting", []), *crds]
        for crd in crds:
            self.api.create(sources.without_descriptions(crd))

    def wait_crds(self):
        """Until each is established and its group can be discovered."""
        for crd in getattr(self, "waiting", []):
            name = crd["metadata"]["name"]
            self.api.wait(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", lambda o: o and any(
                c["type"] == "Established" and c["status"] == "True" for c in o.get("status", {}).get("conditions") or []), what=f"CRD {name} established")
            for v in crd["spec"]["versions"]:
                if v["served"]:
                    self.wait_served(f"/apis/{crd['spec']['group']}/{v['name']}", crd["spec"]["names"]["plural"])
        self.waiting = []

    def wait_served(self, path, plural, limit_s=60):
        end = time.monotonic() + limit_s
        while True:
            found = self.api.find(path)
            if found and any(r["name"] == plural for r in found["resources"]):
                return
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name}: {plural} never showed up in {path}")
            time.sleep(0.05)

    def apply_files(self, paths):
        for p in paths:
            self.api.apply(sources.manifests(p))

    def write_account(self, account):
        """A kubeconfig NAME.kubeconfig with a token of the service account: exactly the rights that the manifests give."""
        namespace, _, name = account.partition("/")
        token = self.api.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
                              {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}})["status"]["token"]
        return self.pki.kubeconfig(self.dir / f"{name}.kubeconfig", self.name, self.url, token, name)

    def kill(self, short, sig=signal.SIGKILL):
        """Ends one server without asking it, or sends another signal (SIGSTOP, SIGCONT)."""
        if sig in (signal.SIGSTOP, signal.SIGCONT):
            self.servers[short].send(sig)
        else:
            self.servers[short].stop(sig)

    def start_server(self, server):
        """Starts a server that was killed: same port, same data. Waits until the API answers."""
        self.servers[server].start()
        if server in ("etcd", "kube-apiserver"):
            self.wait_ready()

    def snapshot(self, name):
        """What a power cut at this moment would leave: a frozen etcd's files. Nobody notices."""
        etcd = self.servers["etcd"]
        etcd.freeze()
        try:
            shutil.copytree(self.dir / "etcd", self.dir / f"snapshot-{name}")
        finally:
            etcd.send(signal.SIGCONT)

    def restore(self, name):
        """Back to the snapshot: what was written since is gone, and resource versions start again from there. The cluster's own
        programs are started again, as Kubernetes asks for after a restore: their watches would wait for versions to come."""
        others = [s for short, s in self.servers.items() if short not in ("etcd", "kube-apiserver")]
        for s in (*others, self.servers["kube-apiserver"], self.servers["etcd"]):
            s.stop(signal.SIGKILL)
        shutil.rmtree(self.dir / "etcd")
        shutil.copytree(self.dir / f"snapshot-{name}", self.dir / "etcd")
        self.start_core()
        for s in others:
            s.start()

    def heal(self):
        """Thaws what was frozen, and starts what was killed."""
        for s in self.servers.values():
            if s.running():
                s.send(signal.SIGCONT)
            else:
                s.start()
        self.wait_ready()

    def stop(self):
        for s in reversed(list(self.servers.values())):
            if s.wanted:
                s.stop(signal.SIGKILL if s.name.endswith("kube-apiserver") else signal.SIGTERM, 5)
