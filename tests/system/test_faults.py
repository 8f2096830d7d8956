# SPDX-License-Identifier: Apache-2.0
"""
What goes wrong around a gateway, and what its user sees: workers that hang, die or come back empty, people who change and delete things
at bad moments, strangers with the same names, data that is gone. The workers are simulated, each in a process of its own.
"""
import json
import shutil
import signal

import kubernetes
import pytest
import yaml

from conftest import BUILD, ROOT, Process, api_of, condition, eventually, job, run

LONG = "100000s"


class Worker:
    """One simulated cluster that can be frozen and killed. It keeps nothing: started again, it is empty."""

    def __init__(self, where, name, spec):
        self.dir, self.name = where / name, name
        self.dir.mkdir()
        (self.dir / "spec.yaml").write_text(yaml.safe_dump({"timeScale": 100, "clusters": [{"name": name, "cloud": "onprem", "region": "here", **spec}]}))
        self.start()

    def start(self):
        (self.dir / "ready").unlink(missing_ok=True)
        self.process = Process(self.dir / "log", [BUILD / "spillway", "sim", "--spec", self.dir / "spec.yaml", "--dir", self.dir])
        eventually(lambda: (self.dir / "ready").exists() or self.process.p.poll() is not None, f"{self.name} is ready")
        assert self.process.p.poll() is None, self.process.text()

    def signal(self, sig):
        self.process.p.send_signal(sig)

    def kill(self):
        self.process.stop(signal.SIGKILL)

    @property
    def kubeconfig(self):
        return self.dir / f"{self.name}.kubeconfig"

    @property
    def jobs(self):
        return kubernetes.client.BatchV1Api(api_of(self.kubeconfig))

    def find(self, name):
        try:
            return self.jobs.read_namespaced_job(name, "default")
        except kubernetes.client.ApiException as e:
            assert e.status == 404, e
            return None

    def pods(self, name):
        core = kubernetes.client.CoreV1Api(api_of(self.kubeconfig))
        return core.list_namespaced_pod("default", label_selector=f"batch.kubernetes.io/job-name={name}").items


class Gateway:
    def __init__(self, where, workers, name="data", **settings):
        self.data, self.log = where / name, where / f"{name}.log"
        self.config = where / f"{name}.yaml"
        self.config.write_text(yaml.safe_dump({
            "data_dir": str(self.data), "listen": "127.0.0.1:0", "log": {"level": "debug"},
            "burst": {"max_price_per_hour": 1000, "idle_release": "1s"},
            "clusters": [{"name": w.name, "provider": "sim", "kubeconfig": str(w.kubeconfig), "burst": True} for w in workers],
            "bootstrap": [str(ROOT / "config" / "samples" / "queue.yaml")],
            **settings, "dispatch": {"resync": "2s", "lost_after": "2s", **settings.get("dispatch", {})}}))
        self.start()

    def start(self):
        self.process = Process(self.log, [BUILD / "spillway", "serve", "--config", self.config])
        self.process.wait_for("serving")

    def stop(self, sig=signal.SIGTERM):
        return self.process.stop(sig)

    @property
    def kubeconfig(self):
        return self.data / "admin.kubeconfig"

    @property
    def jobs(self):
        return kubernetes.client.BatchV1Api(api_of(self.kubeconfig))

    def create(self, spec):
        return self.jobs.create_namespaced_job("default", spec)

    def delete(self, name):
        self.jobs.delete_namespaced_job(name, "default", propagation_policy="Background")

    def patch(self, name, body):
        self.jobs.patch_namespaced_job(name, "default", body)

    def read(self, name):
        return api_of(self.kubeconfig).sanitize_for_serialization(self.jobs.read_namespaced_job(name, "default"))

    def cli(self, *argv, check=True):
        return run(BUILD / "spillway", *argv, "--kubeconfig", self.kubeconfig, check=check)

    def explain(self, name):
        return json.loads(self.cli("explain", f"job/{name}", "-o", "json"))

    def clusters(self):
        return {c["name"]: c for c in json.loads(self.cli("clusters", "-o", "json"))}

    def wait_ready(self, *names):
        eventually(lambda: all(self.clusters().get(n, {}).get("ready") for n in names), f"{names} take jobs")

    def wait_ended(self, name, how="Complete"):
        eventually(lambda: condition(self.read(name), how), f"{name} is {how}")

    def wait_runs(self, name, *workers):
        """Waits until exactly one of the workers has pods of it, and returns that worker."""
        return eventually(lambda: [w for w in workers if w.find(name) and w.pods(name)], f"{name} runs")[0]


@pytest.fixture
def world(tmp_path):
    """world(**settings): clusters a (V100) and b (T4) and a gateway that finds both ready."""
    ended = []

    def make(a=None, b=None, **settings):
        node = {"cpu": "32", "memory": "128Gi", "machine": "own", "priceHour": 1}
        wa = Worker(tmp_path, "a", a or {"nodes": [{"name": "v100", "count": 2, "gpu": "V100", "gpus": 4, **node}]})
        wb = Worker(tmp_path, "b", b or {"nodes": [{"name": "t4", "count": 2, "gpu": "T4", "gpus": 4, **node}]})
        ended.extend([wa.process, wb.process])
        g = Gateway(tmp_path, [wa, wb], **settings)
        ended.append(g.process)
        g.wait_ready("a", "b")
        g.others = ended
        return g, wa, wb

    yield make
    for p in reversed(ended):
        if p.p.poll() is None:
            p.p.send_signal(signal.SIGCONT)
            p.stop(signal.SIGKILL)


def gpu(name, model, run_seconds=LONG, **more):
    """A job that only nodes with this GPU can run."""
    made = job(name, run_seconds, annotations={"spillway.dev/gpu": model}, **more)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"cpu": "1", "memory": "64Mi"}}
    return made


def test_a_worker_that_hangs_stops_nobody_else_and_goes_on_when_it_answers(world):
    g, a, b = world()
    g.create(gpu("here", "V100", "500s"))
    g.wait_runs("here", a)
    a.signal(signal.SIGUSR1)
    g.create(gpu("there", "T4", "100s"))
    g.wait_ended("there")
    assert not condition(g.read("here"), "Complete")
    a.signal(signal.SIGUSR1)
    g.wait_ended("here")
    assert g.explain("here")["attempt"] == 1


def test_a_dead_workers_job_is_held_until_an_operator_says_that_it_is_dead(world):
    g, a, b = world()
    g.create(job("held", LONG))
    w = g.wait_runs("held", a, b)
    other = b if w is a else a
    w.kill()
    eventually(lambda: "held until it answers" in g.explain("held")["plan"], "its user is told")
    assert g.explain("held")["attempt"] == 1 and not other.find("held")
    refused = g.cli("cluster", "declare-dead", other.name, check=False)
    assert refused.returncode == 1 and "answers" in refused.stderr
    g.cli("cluster", "declare-dead", w.name)
    g.wait_runs("held", other)
    assert g.explain("held")["attempt"] == 2


def test_a_dead_workers_job_moves_by_itself_where_duplicates_are_allowed(world):
    g, a, b = world(queues=[{"name": "team", "lost": "duplicate"}])
    g.create(job("moves", LONG))
    w = g.wait_runs("moves", a, b)
    other = b if w is a else a
    w.kill()
    g.wait_runs("moves", other)
    assert g.explain("moves")["attempt"] == 2


def test_a_worker_that_comes_back_empty_gets_a_new_attempt(world):
    g, a, b = world()
    g.create(gpu("again", "V100", "3000s"))
    g.wait_runs("again", a)
    a.kill()
    eventually(lambda: not g.clusters()["a"]["reachable"], "it is missed")
    a.start()
    g.others.append(a.process)
    eventually(lambda: g.explain("again")["attempt"] == 2, "nobody knows what became of the first")
    g.wait_runs("again", a)
    g.delete("again")
    eventually(lambda: not a.find("again"), "its copy is swept")


def test_a_suspended_jobs_quota_serves_another_and_its_counters_only_grow(world):
    g, a, b = world()
    kubernetes.client.CustomObjectsApi(api_of(g.kubeconfig)).patch_cluster_custom_object(
        "kueue.x-k8s.io", "v1beta2", "clusterqueues", "team", {"spec": {"resourceGroups": [{
            "coveredResources": ["cpu", "memory", "nvidia.com/gpu"], "flavors": [{"name": "anywhere", "resources": [
                {"name": "cpu", "nominalQuota": "1"}, {"name": "memory", "nominalQuota": "1Gi"}, {"name": "nvidia.com/gpu", "nominalQuota": "0"}]}]}]}})
    g.create(job("first", "200s", backoffLimit=1000, pod_annotations={"sim.spillway.dev/exit-code": "3"}))
    g.create(job("second", "100s"))
    eventually(lambda: g.read("first")["status"].get("failed", 0) >= 2, "pods of the first have failed")
    assert g.explain("second")["state"] == "Queued"
    g.patch("first", {"spec": {"suspend": True}})
    g.wait_ended("second")
    failed = g.read("first")["status"]["failed"]
    assert failed >= 2 and g.read("first")["status"].get("active", 0) == 0
    g.patch("first", {"spec": {"suspend": False}})
    seen = []
    eventually(lambda: seen.append(g.read("first")["status"].get("failed", 0)) or seen[-1] >= failed + 2, "it fails on")
    assert seen == sorted(seen) and seen[0] >= failed, f"the counter went down: {seen}"
    g.delete("first")


def test_a_job_made_again_under_its_name_is_the_new_one(world):
    g, a, b = world()
    old = g.create(job("same", LONG)).metadata.uid
    w = g.wait_runs("same", a, b)
    copy = w.find("same").metadata.uid
    g.delete("same")
    new = eventually(lambda: made_again(g, "same"), "the name is free")
    g.wait_ended("same")
    assert new != old and g.read("same")["metadata"]["uid"] == new and g.read("same")["status"]["succeeded"] == 1
    for worker in (a, b):
        eventually(lambda: not worker.find("same"), "no copy is left")
    assert copy != new


def made_again(g, name):
    try:
        return g.create(job(name, "100s")).metadata.uid
    except kubernetes.client.ApiException as e:
        assert e.status == 409, e
        return None


POOLS = {"cloud": "gke", "region": "europe-west4", "pools": [{"name": "h100", "machine": "a3-highgpu-8g", "zone": "europe-west4-b", "max": 4, "growSeconds": 300}]}


def nodes(w):
    return kubernetes.client.CoreV1Api(api_of(w.kubeconfig)).list_node().items


def test_a_job_deleted_while_a_pool_grows_for_it_leaves_no_node(world):
    g, a, b = world(b=POOLS)
    g.create(gpu("buys", "H100"))
    eventually(lambda: g.explain("buys")["state"] == "Placing" and "growing" in str(json.loads(g.cli("pools", "-o", "json"))) and grows(g), "a node is asked for")
    g.delete("buys")
    eventually(lambda: not grows(g) and not nodes(b), "the pool is empty again")
    assert not b.find("buys")


def grows(g):
    return any(p.get("target", 0) > 0 for p in json.loads(g.cli("pools", "-o", "json")) if p["growable"])


def test_a_sold_out_pool_is_left_for_the_next(world):
    def pool(**more):
        return {"cloud": "gke", "region": "europe-west4", "pools": [{"name": "h100", "machine": "a3-highgpu-8g", "zone": "europe-west4-b", "max": 4, "growSeconds": 20, **more}]}

    g, a, b = world(a=pool(stockout=True, priceHour=1), b=pool(priceHour=90))
    g.create(gpu("elsewhere", "H100", "100s"))
    g.wait_ended("elsewhere")
    events = g.cli("explain", "job/elsewhere", "-o", "json")
    assert '"cluster": "b"' in events or '"cluster":"b"' in events


def test_a_strangers_job_with_the_name_is_left_alone(world):
    g, a, b = world()
    strange = job("mine", LONG)
    strange["spec"]["suspend"] = True
    uid = a.jobs.create_namespaced_job("default", strange).metadata.uid
    g.create(gpu("mine", "V100,T4", "100s"))
    g.wait_ended("mine")
    left = a.find("mine")
    assert left.metadata.uid == uid and left.spec.suspend and "spillway.dev/origin" not in (left.metadata.labels or {})


def test_a_lost_node_costs_pods_not_the_job(world):
    g, a, b = world()
    g.create(gpu("shaken", "V100", "2000s", backoffLimit=6))
    g.wait_runs("shaken", a)
    pod = eventually(lambda: a.pods("shaken")[0].spec.node_name and a.pods("shaken")[0], "it has a node")
    core = kubernetes.client.CoreV1Api(api_of(a.kubeconfig))
    core.delete_node(pod.spec.node_name)
    core.delete_namespaced_pod(pod.metadata.name, "default", grace_period_seconds=0)  # as its pod collector would
    eventually(lambda: any(p.metadata.uid != pod.metadata.uid and p.spec.node_name for p in a.pods("shaken")), "another pod runs")
    g.wait_ended("shaken")
    assert g.explain("shaken")["attempt"] == 1


def test_two_installations_on_one_worker_never_touch_each_other(world, tmp_path):
    g, a, b = world()
    g.create(gpu("first", "V100"))
    g.wait_runs("first", a)
    second = Gateway(tmp_path, [a], name="second")
    g.others.append(second.process)
    eventually(lambda: "claimed by" in second.clusters().get("a", {}).get("why", ""), "the second is told whose cluster it is")
    second.create(gpu("second", "V100"))
    eventually(lambda: "claimed by" in json.dumps(second.explain("second")["candidates"]), "and says so to its user")
    uid = a.find("first").metadata.uid
    second.delete("second")
    second.stop()
    assert a.find("first").metadata.uid == uid and not a.find("second") and g.clusters()["a"]["ready"]


def test_an_emptied_data_directory_deletes_nothing(world):
    g, a, b = world()
    g.create(job("precious", LONG))
    w = g.wait_runs("precious", a, b)
    uid = w.find("precious").metadata.uid
    g.stop(signal.SIGKILL)
    shutil.rmtree(g.data)
    g.start()
    g.others.append(g.process)
    eventually(lambda: all("claimed by" in c["why"] for c in g.clusters().values()) and g.clusters(), "it knows that it is another installation")
    assert w.find("precious").metadata.uid == uid and len(w.pods("precious")) == 1
