# SPDX-License-Identifier: Apache-2.0
"""
The gateway is killed before and after each write of a job's life, and each reply is lost in turn. The job always ends, once.

A first run without faults records every fault point that the gateway passes between the submission of one job and the sweep of its
copy. Then, for each: a fresh gateway with that fault, the same job, and a restart without faults if it died. Workers live on through it
all; an observer on each of them counts the pods of the job that ever ran.
"""
import threading
import time

import kubernetes
import pytest

from conftest import BUILD, Site, api_of, condition, eventually, job, small_spec

FAULTS = ["store.commit.before:kill", "store.commit.after:kill", "kube.send:kill", "kube.reply:kill", "kube.reply:lose"]
SHARDS = 8  # spread over pytest's workers


class Observer:
    """Watches one worker for pods and jobs of ours, from before the job is submitted."""

    def __init__(self, kubeconfig):
        self.api = api_of(kubeconfig)
        self.ran, self.jobs, self.stopping = {}, {}, False
        self.threads = [threading.Thread(target=self.watch, args=a, daemon=True) for a in (
            (kubernetes.client.CoreV1Api(self.api).list_pod_for_all_namespaces, self.on_pod),
            (kubernetes.client.BatchV1Api(self.api).list_job_for_all_namespaces, self.on_job))]
        for t in self.threads:
            t.start()

    def watch(self, call, note):
        while not self.stopping:
            try:
                for e in kubernetes.watch.Watch().stream(call, timeout_seconds=300):
                    note(e["object"], e["type"])
                    if self.stopping:
                        return
            except Exception:  # the worker is being stopped
                if self.stopping:
                    return
                time.sleep(0.05)

    def on_pod(self, pod, _):
        if pod.status.phase in ("Running", "Succeeded", "Failed"):
            self.ran[pod.metadata.uid] = (pod.metadata.labels or {}).get("batch.kubernetes.io/job-name")

    def on_job(self, j, kind):
        self.jobs.pop(j.metadata.uid, None)
        if kind != "DELETED":
            self.jobs[j.metadata.uid] = j.metadata.name


def read_job(site, name):
    try:
        return kubernetes.client.BatchV1Api(api_of(site.admin)).read_namespaced_job(name, "default", _preload_content=True).to_dict()
    except Exception:
        return None


def submit(site, name):
    """Creates the job, again after a crash that may have eaten the first try: AlreadyExists is then a success."""
    def once():
        try:
            kubernetes.client.BatchV1Api(api_of(site.admin)).create_namespaced_job("default", job(name, "5s", backoffLimit=0))
            return True
        except kubernetes.client.ApiException as e:
            return e.status == 409
        except Exception:  # killed under us
            return False
    return once()


def is_complete(site, name):
    j = read_job(site, name)
    return j and any(c["type"] == "Complete" and c["status"] == "True" for c in (j["status"]["conditions"] or []))


def run_one(site, observers, name, env, data):
    """One job through one gateway with a fault; returns whether the gateway died."""
    site.write_config(data=data, identity__origin="crash-" + data)
    log = site.dir / f"{data}.points"
    gateway = site.start_gateway("spillway-faults", env={**env, "SPILLWAY_FAULT_LOG": str(log)}, wait=False)
    died = False

    def settled():
        nonlocal gateway, died
        if gateway.p.poll() is not None:
            assert not died, f"the gateway ended again, with {gateway.p.returncode}:\n{gateway.text()[-4000:]}"
            died = True
            gateway.stop()
            gateway = site.start_gateway("spillway-faults", wait=False)
        if "serving" not in gateway.text():
            return False
        if not read_job(site, name):
            submit(site, name)
            return False
        return is_complete(site, name)

    eventually(settled, f"{name} with {env} ends")
    eventually(lambda: not any(n == name for o in observers for n in o.jobs.values()), f"the copies of {name} are swept")
    ran = sum(n == name for o in observers for n in o.ran.values())
    assert ran == 1, f"{name} with {env} ran {ran} times"
    gateway.stop()
    return died, log


@pytest.fixture(scope="module")
def crash_site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("crash"), small_spec())
    site.start_workers()
    observers = [Observer(site.dir / "sim" / f"{c['name']}.kubeconfig") for c in site.spec["clusters"]]
    yield site, observers
    for o in observers:
        o.stopping = True
    site.sim.stop()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_job_ends_once_whichever_write_is_cut_off(crash_site, shard):
    site, observers = crash_site
    died, log = run_one(site, observers, f"plain-{shard}", {}, f"plain-{shard}")
    assert not died
    passed = {}
    for line in log.read_text().splitlines():
        where = line.split()[0]
        if where.startswith("kube.") and line.split()[1] == "GET":
            continue  # reads change nothing; lost reads are the watch tests' business
        passed[where] = passed.get(where, 0) + 1
    cases = [(f, n) for f in FAULTS for n in range(1, passed.get(f.split(":")[0], 0) + 1)]
    assert len(cases) > 20, f"only these points were passed: {passed}"
    for i, (fault, n) in enumerate(cases):
        if i % SHARDS != shard:
            continue
        where, action = fault.split(":")
        run_one(site, observers, f"crash-{shard}-{i}", {"SPILLWAY_FAULT": f"{where}:{n}:{action}"}, f"crash-{shard}-{i}")
