# SPDX-License-Identifier: Apache-2.0
"""
What the crash scenarios are made of: a rig of simulated workers and one gateway whose fault points fire, observers of the workers, and
the enumeration of the points that a scenario passes.

A fault is a line in a file that the gateway reads at each point (tests/faults/fault.c): so one gateway goes through one case after the
other, and is started again only when it was killed. Points are told apart by what they write (kind of object, or method and path), with
the job's own name left out; the n-th pass of each is a case of its own.
"""
import collections
import json
import pathlib
import re
import signal
import threading
import time

import urllib3

from conftest import LIMIT, PATIENT, Site, api_of, small_spec

WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/namespaces/default/workloads"
ACTIONS = {"store.commit.before": ["kill"], "store.commit.after": ["kill"], "file.write.before": ["kill"], "file.write.after": ["kill"],
            "kube.send": ["kill"], "kube.reply": ["kill", "lose"]}


class Api:
    """Plain requests to a Kubernetes API: status and object, whatever it says."""

    def __init__(self, kubeconfig):
        client = api_of(kubeconfig)
        self.host = client.configuration.host
        self.pool = client.rest_client.pool_manager
        token = client.configuration.get_api_key_with_prefix("authorization")
        self.headers = {"authorization": token} if token else {}

    def call(self, method, path, body=None, type_="application/json", **more):
        headers = {**self.headers, "content-type": type_}
        r = self.pool.request(method, self.host + path, body=None if body is None else json.dumps(body), headers=headers, retries=False,
                              timeout=urllib3.Timeout(connect=5, read=LIMIT), **more)
        return (r.status, json.loads(r.data)) if more.get("preload_content", True) else r

    def get(self, path):
        return self.call("GET", path)

    def items(self, path):
        status, found = self.get(path)
        assert status == 200, found
        return found["items"]

    def patch(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def watch(self, path):
        """Every event from now on, those of objects that are there first. Ends when the connection does."""
        r = self.call("GET", path + "?watch=1&timeoutSeconds=600", preload_content=False)
        rest = b""
        for chunk in r.stream(65536):
            rest += chunk
            *lines, rest = rest.split(b"\n")
            yield from (json.loads(line) for line in lines if line)


class Observer:
    """Sees everything that happens on one worker, whatever becomes of the gateway."""

    def __init__(self, kubeconfig):
        self.api, self.stopping = Api(kubeconfig), False
        self.live = {}                            # job uid -> name
        self.pods = {}                            # uid -> (job, phase), those that are there
        self.ran = collections.defaultdict(set)   # job -> uids of pods that ever ran
        self.made = collections.defaultdict(set)  # job -> uids of copies that ever were
        self.desired = collections.defaultdict(int)      # pool -> nodes asked for
        self.peak = collections.defaultdict(int)         # pool -> the most that were ever asked for
        self.instances = collections.defaultdict(set)    # pool -> every machine that ever was
        self.there = collections.defaultdict(int)        # pool -> machines that are there
        for path, note in (("/api/v1/pods", self.on_pod), ("/apis/batch/v1/jobs", self.on_job), ("/apis/sim.spillway.dev/v1/nodepools", self.on_pool)):
            threading.Thread(target=self.run, args=(path, note), daemon=True).start()

    def run(self, path, note):
        while not self.stopping:
            try:
                for e in self.api.watch(path):
                    note(e["type"], e["object"])
            except Exception:  # the worker is being stopped, or does not answer for a while
                time.sleep(0.05)

    def on_pod(self, kind, pod):
        uid, owner = pod["metadata"]["uid"], pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name")
        phase = pod.get("status", {}).get("phase")
        self.pods.pop(uid, None)
        if kind != "DELETED":
            self.pods[uid] = (owner, phase)
        if phase in ("Running", "Succeeded", "Failed"):
            self.ran[owner].add(uid)

    def on_job(self, kind, job):
        uid, name = job["metadata"]["uid"], job["metadata"]["name"]
        self.made[name].add(uid)
        self.live.pop(uid, None)
        if kind != "DELETED":
            self.live[uid] = name

    def on_pool(self, _, pool):
        name, ids = pool["metadata"]["name"], [i["id"] for i in pool.get("status", {}).get("instances", [])]
        self.desired[name] = pool["spec"].get("desired", 0)
        self.peak[name] = max(self.peak[name], self.desired[name])
        self.instances[name].update(ids)
        self.there[name] = len(ids)


class Fault:
    def __init__(self, where, nth, action, detail):
        self.where, self.nth, self.action, self.detail = where, nth, action, detail

    def line(self, name):
        return f"{self.where}:{self.nth}:{self.action}:{self.detail.replace('{}', name)}\n"

    def __str__(self):
        return f"{self.where} #{self.nth} {self.action} [{self.detail}]"


class Rig:
    """Workers and a gateway that is started again whenever a fault killed it."""

    def __init__(self, where, spec=None, **settings):
        self.site = Site(where, spec or small_spec())
        self.points, self.fault_file = pathlib.Path(where) / "points", pathlib.Path(where) / "fault"
        self.site.start_workers()
        self.site.write_config(**settings)
        self.workers = {c["name"]: Observer(self.site.dir / "sim" / f"{c['name']}.kubeconfig") for c in self.site.spec["clusters"]}
        self.armed, self.deaths, self.client, self.late = None, 0, None, False

    def stop(self):
        for o in self.workers.values():
            o.stopping = True
        return self.site.stop()

    # ---- the gateway

    def start(self, wait=True):
        self.client = None
        self.site.start_gateway("spillway-faults", env={"SPILLWAY_FAULT": str(self.fault_file), "SPILLWAY_FAULT_LOG": str(self.points)}, wait=wait)

    def arm(self, fault, name):
        # The last fault's point may be passed at this very moment: one death more may then be its.
        self.late = bool(self.armed and self.armed.action == "kill" and not self.deaths)
        self.armed, self.deaths = fault, 0
        self.fault_file.write_text(fault.line(name) if fault else "")

    def revive(self):
        """Starts it again if the fault killed it. Nothing else may end it."""
        p = self.site.gateway.p
        if p.poll() is None:
            return
        meant = self.late or (self.armed and self.armed.action == "kill" and not self.deaths)
        assert p.returncode == -signal.SIGKILL and meant, f"{self.armed}: the gateway ended with {p.returncode}:\n{self.site.gateway.text()[-6000:]}"
        self.deaths += not self.late
        self.late = False
        self.fault_file.write_text("")
        self.site.gateway.stop()
        self.start(wait=False)
        self.site.gateway.wait_for("serving")

    @property
    def api(self):
        if not self.client:
            self.client = Api(self.site.admin)
        return self.client

    def ask(self, method, path, body=None, type_="application/json"):
        """One request; (0, None) if the gateway died under it."""
        try:
            return self.api.call(method, path, body, type_)
        except (urllib3.exceptions.HTTPError, OSError, json.JSONDecodeError):
            return 0, None

    def until(self, check, what, limit=LIMIT):
        end = time.monotonic() + limit * PATIENT
        while True:
            self.revive()
            value = check()
            if value:
                return value
            assert time.monotonic() < end, f"{self.armed}: never came true: {what}\n{self.site.gateway.text()[-8000:]}"
            time.sleep(0.01)

    # ---- the user

    def create(self, body):
        """Submits until it is acknowledged. A crash may have eaten the answer: AlreadyExists is then one."""
        ns = body["metadata"]["namespace"]
        self.until(lambda: self.ask("POST", f"/apis/batch/v1/namespaces/{ns}/jobs", body)[0] in (201, 409), "the job is taken")

    def job(self, name):
        """The job, which must be there; None while the gateway is not."""
        status, job = self.ask("GET", f"/apis/batch/v1/namespaces/default/jobs/{name}")
        assert status != 404, f"{self.armed}: job {name} was acknowledged and is lost"
        return job if status == 200 else None

    def workload(self, name):
        """The Workload of this job, or None."""
        _, found = self.ask("GET", WORKLOADS)
        return next((w for w in (found or {}).get("items", []) if f"job-{name}-" in w["metadata"]["name"]), None)

    def is_complete(self, name):
        job = self.job(name)
        conditions = (job or {}).get("status", {}).get("conditions", [])
        assert not any(c["type"] == "Failed" and c["status"] == "True" for c in conditions), f"{self.armed}: {name} failed: {conditions}"
        return any(c["type"] == "Complete" and c["status"] == "True" for c in conditions)

    def is_clean(self, name):
        """No copy and no pod of it is on any worker."""
        return not any(name in o.live.values() or any(j == name for j, _ in o.pods.values()) for o in self.workers.values())

    def ran(self, name):
        return sum(len(o.ran[name]) for o in self.workers.values())

    # ---- the points

    def passed_since(self, at, name):
        """Which points were passed since the log was `at` long, how often each, without the job's name."""
        count = collections.Counter()
        for line in self.points.read_text()[at:].splitlines():
            where, _, detail = line.removeprefix("! ").partition(" ")
            key = detail_key(detail, name)
            if where in ACTIONS and key and not detail.startswith("GET "):  # reads change nothing; lost ones are the watch tests' business
                count[where, key] += 1
        return count

    def log_end(self):
        return len(self.points.read_text()) if self.points.exists() else 0


def detail_key(detail, name):
    """What tells this point in the next job's life: without names made at random."""
    if name in detail:
        return re.sub(re.escape(name) + r"([-.]).*", r"{}\1", detail).replace(name, "{}")
    if "/nodes/" in detail:
        return detail[:detail.index("/nodes/") + len("/nodes/")]
    for kind in ("/logmeta/", "/gc/"):
        if kind in detail:
            return kind
    if "/note/identity" in detail or "spillway-claim" in detail:
        return None  # once an hour; the first start has a test of its own
    return detail


def cases_of(passed):
    """A fault for each pass of each point, in an order that spreads evenly over any number of shards."""
    return [Fault(where, n, action, key) for (where, key), times in sorted(passed.items()) for n in range(1, times + 1) for action in ACTIONS[where]]


def run_cases(rig, scenario, shard, shards, only=""):
    """
    Learns the points of the scenario, then plays this shard's share of the faults. scenario(rig, name, arm) plays one job to its end;
    it calls arm() when faults may begin, and fails if anything is not as it must be. only: a pattern that points must match.
    """
    passed = collections.Counter()
    scenario(rig, "warm-up", lambda: None)  # what is written once in a gateway's life has a test of its own
    for i in range(2):  # what is written in one commit depends on timing: two runs show most of what there is
        name, at = f"learn-{i}", [0]

        def arm():
            at[0] = rig.log_end()

        scenario(rig, name, arm)
        passed |= rig.passed_since(at[0], name)
    cases = [c for c in cases_of(passed) if re.search(only, c.detail)]
    fired, played = 0, [c for i, c in enumerate(cases) if i % shards == shard]
    assert len(played) > 3, f"only these points were passed: {dict(passed)}"
    for i, fault in enumerate(played):
        name, began = f"case-{shard:02}-{i:03}", time.monotonic()
        at = rig.log_end()
        scenario(rig, name, lambda: rig.arm(fault, name))
        hit = "! " in rig.points.read_text()[at:]
        rig.arm(None, name)
        fired += hit
        print(f"{name} {time.monotonic() - began:5.2f} s {'hit ' if hit else 'miss'} {fault}")
    assert fired * 2 > len(played), f"only {fired} of {len(played)} faults fired"
