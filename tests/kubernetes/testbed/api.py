# SPDX-License-Identifier: Apache-2.0
"""A small Kubernetes client: objects are plain dicts, waiting is watching."""
import base64
import http.client
import json
import pathlib
import ssl
import threading
import time
import urllib.parse

import yaml

MERGE, APPLY, JSON = "application/merge-patch+json", "application/apply-patch+yaml", "application/json-patch+json"


class ApiError(Exception):
    """What the server answered when it did not do as asked."""

    def __init__(self, code, status, what):
        self.code, self.status = code, status
        message = status.get("message") if isinstance(status, dict) else status
        super().__init__(f"{what}: {code} {message}")


class Gone(Exception):
    """The watch cannot go on from here: list again."""


class Api:
    """Talks to the server of a kubeconfig's current context. One connection per thread."""

    def __init__(self, kubeconfig, user_agent="testbed"):
        k = yaml.safe_load(pathlib.Path(kubeconfig).read_text())
        cluster = k["clusters"][0]["cluster"]
        self.url = urllib.parse.urlparse(cluster["server"])
        self.tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        self.headers = {"Authorization": "Bearer " + k["users"][0]["user"]["token"], "User-Agent": user_agent, "Accept": "application/json"}
        self.local = threading.local()
        self.kinds = {}

    def connect(self, timeout):
        return http.client.HTTPSConnection(self.url.hostname, self.url.port, context=self.tls, timeout=timeout)

    def call(self, method, path, body=None, kind="application/json", timeout=60):
        """One request; returns the parsed reply. A connection that the server closed meanwhile is opened again once."""
        data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        for last in (False, True):
            c = getattr(self.local, "c", None)
            fresh = c is None
            if fresh:
                c = self.local.c = self.connect(timeout)
            try:
                c.request(method, path, data, {**self.headers, "Content-Type": kind})
                r = c.getresponse()
                raw = r.read()
                break
            except (http.client.HTTPException, OSError):
                c.close()
                self.local.c = None
                if fresh or last:
                    raise
        reply = json.loads(raw) if "json" in (r.getheader("Content-Type") or "") else raw.decode(errors="replace")
        if r.status >= 300:
            raise ApiError(r.status, reply, f"{method} {path}")
        return reply

    def get(self, path):
        return self.call("GET", path)

    def find(self, path):
        """The object, or None if there is none."""
        try:
            return self.get(path)
        except ApiError as e:
            if e.code == 404:
                return None
            raise

    def patch(self, path, body, kind=MERGE):
        return self.call("PATCH", path, body, kind)

    def delete(self, path, **options):
        """Deletes; None if there was nothing."""
        try:
            return self.call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background", **options})
        except ApiError as e:
            if e.code == 404:
                return None
            raise

    def collection(self, obj, namespace="default"):
        """The path of the collection that an object belongs to, by discovery."""
        av, kind = obj["apiVersion"], obj["kind"]
        if (av, kind) not in self.kinds:
            for r in self.get(("/apis/" if "/" in av else "/api/") + av)["resources"]:
                if "/" not in r["name"]:
                    self.kinds[av, r["kind"]] = (r["name"], r["namespaced"])
        plural, namespaced = self.kinds[av, kind]
        ns = obj["metadata"].get("namespace") or namespace
        return ("/apis/" if "/" in av else "/api/") + av + (f"/namespaces/{ns}" if namespaced else "") + "/" + plural

    def path(self, obj, namespace="default"):
        return self.collection(obj, namespace) + "/" + obj["metadata"]["name"]

    def create(self, obj, namespace="default"):
        return self.call("POST", self.collection(obj, namespace), obj)

    def apply(self, objects, namespace="default"):
        """Server-side apply of one object, a list, or YAML text with any number of documents."""
        if isinstance(objects, str):
            objects = yaml.load_all(objects, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        elif isinstance(objects, dict):
            objects = [objects]
        return [self.call("PATCH", self.path(o, namespace) + "?fieldManager=testbed&force=true", o, APPLY) for o in objects if o]

    def watch(self, collection, selector="", version="", limit_s=60):
        """Yields (type, object); ends when limit_s is over. Raises Gone when the version is too old."""
        c = self.connect(limit_s + 5)
        end = time.monotonic() + limit_s
        try:
            c.request("GET", f"{collection}?watch=1&allowWatchBookmarks=true&timeoutSeconds={max(1, int(limit_s))}&resourceVersion={version}{selector}", headers=self.headers)
            r = c.getresponse()
            if r.status != 200:
                raise ApiError(r.status, r.read().decode(), f"watch {collection}")
            while time.monotonic() < end:
                line = r.readline()
                if not line:
                    return
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise Gone(event["object"].get("message"))
                yield event["type"], event["object"]
        finally:
            c.close()

    def wait(self, path, check, limit_s=60, what=None):
        """Watches one object until check(object) is true; the object is None while it does not exist. Returns check's value."""
        collection, _, name = path.rpartition("/")
        selector = "&fieldSelector=" + urllib.parse.quote(f"metadata.name={name}")
        end, obj = time.monotonic() + limit_s, None
        while True:
            try:
                page = self.get(f"{collection}?{selector[1:]}")
                obj = page["items"][0] if page["items"] else None
                if check(obj):
                    return check(obj)
                for event, seen in self.watch(collection, selector, page["metadata"]["resourceVersion"], max(0.1, end - time.monotonic())):
                    if event == "BOOKMARK":
                        continue
                    obj = None if event == "DELETED" else seen
                    if check(obj):
                        return check(obj)
            except Gone:
                pass
            except (ApiError, OSError, http.client.HTTPException):
                time.sleep(0.1)  # the server is being restarted
            if time.monotonic() >= end:
                if obj:
                    obj["metadata"].pop("managedFields", None)
                shown = yaml.safe_dump(obj) if obj else "there is no such object"
                raise TimeoutError(f"{path}: never came true within {limit_s} s: {what or check}\n{shown}")
