# SPDX-License-Identifier: Apache-2.0
"""The process that owns the servers takes commands on a Unix socket, one JSON object a line; Remote is the other end."""
import json
import pathlib
import signal
import socket
import socketserver
import threading
import traceback

from .api import Api


class Control:
    """Serves `commands`, a dict of functions that take keyword arguments and return something JSON can hold."""

    def __init__(self, path, commands):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    request = json.loads(line)
                    try:
                        answer = {"value": commands[request.pop("do")](**request)}
                    except Exception:  # whatever went wrong, the one who asked must hear of it
                        answer = {"error": traceback.format_exc()}
                    self.wfile.write(json.dumps(answer).encode() + b"\n")

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        pathlib.Path(path).unlink(missing_ok=True)
        self.server = Server(str(path), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class RemoteCluster:
    """A cluster of a testbed that another process owns: its API, and its servers' lives."""

    def __init__(self, remote, name):
        self.remote, self.name = remote, name
        self.dir = remote.dir / name
        self.kubeconfig = self.dir / "admin.kubeconfig"
        self.account = self.dir / "spillway.kubeconfig"
        self.api = Api(self.kubeconfig)

    def ask(self, do, **more):
        return self.remote.ask(do, cluster=self.name, **more)

    def kill(self, server, sig=signal.SIGKILL):
        return self.ask("kill", server=server, sig=int(sig))

    def start(self, server):
        return self.ask("start", server=server)

    def snapshot(self, name):
        return self.ask("snapshot", name=name)

    def restore(self, name):
        return self.ask("restore", name=name)

    def heal(self):
        """Every server of it runs again."""
        return self.ask("heal")

    def add_nodes(self, rows):
        return self.ask("add_nodes", rows=rows)

    def audit(self):
        """Audit events so far: the audit log's lines, parsed as they are asked for."""
        with open(self.dir / "audit.log", "rb") as f:
            for line in f:
                if line.endswith(b"\n"):
                    yield json.loads(line)


class Remote:
    """A testbed that runs in another process, by its directory."""

    def __init__(self, where):
        self.dir = pathlib.Path(where)
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(self.dir / "control"))
        self.file = self.socket.makefile("rwb")
        self.clusters = {name: RemoteCluster(self, name) for name in self.ask("clusters")}

    def __getitem__(self, name):
        return self.clusters[name]

    def ask(self, do, **more):
        with self.lock:
            self.file.write(json.dumps({"do": do, **more}).encode() + b"\n")
            self.file.flush()
            answer = json.loads(self.file.readline())
        if "error" in answer:
            raise RuntimeError(f"{do}: {answer['error']}")
        return answer["value"]

    def add_cluster(self, spec):
        """Starts one more cluster."""
        self.ask("add", spec=spec)
        self.clusters[spec["name"]] = RemoteCluster(self, spec["name"])
        return self.clusters[spec["name"]]

    def remove_cluster(self, name):
        self.ask("remove", cluster=name)
        del self.clusters[name]
