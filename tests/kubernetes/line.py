# SPDX-License-Identifier: Apache-2.0
"""A gateway whose every connection passes through a proxy of ours, so that each can be broken on its own."""
import collections
import re
import urllib.parse

import yaml
from conftest import add_mirrored_namespace, wait_policy

from jobs import path
from proxy import Proxy

SERVERS = ("manager", "w1", "w2")
MARK = re.compile(r"(x\d+-[a-z0-9]+(?:-[a-z]+)*-x)")  # the names of jobs whose requests are counted: "x03-reply-lost-x"


def job_of(request):
    """Which marked job the request is about, by its path or its body; None for lists, watches and what is about no job."""
    found = MARK.search(urllib.parse.unquote(request.path)) or MARK.search(request.body.decode(errors="replace"))
    return found[1] if found and request.verb != "WATCH" else None


class Lines:
    """One proxy per server. `where` gets kubeconfigs that lead through them."""

    def __init__(self, bed, names, where):
        self.bed, self.names = bed, names
        pki = bed.dir / "pki"
        self.proxy = {n: Proxy(str(bed[n].api.url.geturl()), ca=pki / "ca.crt", cert=pki / "tls.crt", key=pki / "tls.key") for n in names}
        self.kubeconfig = {n: self.redirect(n, where) for n in names}

    def redirect(self, name, where):
        config = yaml.safe_load(self.bed[name].account.read_text())
        config["clusters"][0]["cluster"]["server"] = self.proxy[name].url
        path = where / f"{name}-proxied.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    def settings(self, worker="kueue"):
        workers = [n for n in self.names if n != "manager"]
        return {"manager": {"role": "mirror", "kubeconfig": self.kubeconfig["manager"]},
                "clusters": [{"name": n, "kubeconfig": self.kubeconfig[n], "worker": worker} for n in workers]}

    def decide(self, fn):
        """fn(server, request) -> fault or None, for every server."""
        for name, p in self.proxy.items():
            p.decide = lambda request, name=name: fn(name, request)

    def requests(self, job):
        """What was sent about one marked job, in each server's order."""
        return {n: [r for r in p.log if job_of(r) == job] for n, p in self.proxy.items()}

    def close(self):
        for p in self.proxy.values():
            p.close()


def begin(own, lines, ns, **settings):
    """A gateway in mirror role behind the proxies, and the test's namespace on all sides (made directly)."""
    g = own("mirror", **{**lines.settings(), **settings})
    add_mirrored_namespace(g, ns)
    wait_policy(g, ns)
    return g


def creations(bed, ns):
    """How often each job was created on any worker: the API servers' own account."""
    made = collections.Counter()
    for w in SERVERS[1:]:
        for e in bed[w].audit():
            ref = e.get("objectRef") or {}
            if e["verb"] == "create" and ref.get("resource") == "jobs" and ref.get("namespace") == ns and e["responseStatus"]["code"] == 201:
                made[ref["name"]] += 1
    return made


def leftovers(bed, ns):
    """Jobs and Workloads on the workers."""
    found = []
    for w in SERVERS[1:]:
        for where in (path(ns), path(ns, plural="workloads", group="kueue.x-k8s.io/v1beta2")):
            found += [f"{w} {o['metadata']['name']}" for o in bed[w].api.get(where)["items"]]
    return found
