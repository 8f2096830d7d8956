# SPDX-License-Identifier: Apache-2.0
"""
The gateway is killed before and after each commit and each request in the life of a job, and each reply is lost in turn. Whatever is cut
off, the job ends once, nothing acknowledged is lost, nothing is bought twice, and nothing stays on the workers.
"""
import pytest

from conftest import eventually, job, small_spec
from crash import ACTIONS, WORKLOADS, Fault, Rig, run_cases


@pytest.fixture
def rig(tmp_path):
    made = []

    def make(start=True, **settings):
        r = Rig(tmp_path, small_spec(), **settings)
        made.append(r)
        if start:
            r.start()
        return r

    yield make
    codes = [code for r in made for code in r.stop()]
    assert not any(code not in (0, -9) for code in codes), f"ended with {codes}"


def runs_to_the_end(rig, name, arm):
    arm()
    rig.create(job(name, "5s", backoffLimit=0))
    rig.until(lambda: rig.is_complete(name), f"{name} ends")
    rig.until(lambda: rig.is_clean(name), f"the copy of {name} is swept")
    assert rig.ran(name) == 1, f"{rig.armed}: {name} ran {rig.ran(name)} times"


@pytest.mark.parametrize("shard", range(2))
def test_a_job_ends_once_whichever_write_is_cut_off(rig, shard):
    run_cases(rig(), runs_to_the_end, shard, 2)


def gpu_job(name, run_seconds, gpus=8, **more):
    """A job that only a pool of H100 can run."""
    made = job(name, run_seconds, backoffLimit=0, annotations={"spillway.dev/gpu": "H100"}, **more)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}, "requests": {"cpu": "1", "memory": "64Mi"}}
    return made


def grows_a_pool(rig, name, arm):
    """What it grew by is checked on the pool itself: the most nodes ever asked for, and every machine that ever was."""
    pools = rig.workers["gke"]
    before = len(pools.instances["h100"])
    pools.peak["h100"] = 0
    arm()
    rig.create(gpu_job(name, "5s"))
    rig.until(lambda: rig.is_complete(name), f"{name} ends")
    rig.until(lambda: rig.is_clean(name), f"the copy of {name} is swept")
    rig.until(lambda: pools.desired["h100"] == 0 and pools.there["h100"] == 0, "the pool is empty again")
    assert rig.ran(name) == 1, f"{rig.armed}: {name} ran {rig.ran(name)} times"
    assert pools.peak["h100"] == 1, f"{rig.armed}: {pools.peak['h100']} nodes were asked for, one was needed"
    assert len(pools.instances["h100"]) - before == 1, f"{rig.armed}: more than one machine was bought"


@pytest.mark.parametrize("shard", range(4))
def test_a_pool_grows_once_and_is_given_back_whichever_write_is_cut_off(rig, shard):
    """What every job writes has had its turn above: here it is pools, nodes and plans."""
    run_cases(rig(burst__idle_release="100ms"), grows_a_pool, shard, 4, only="nodepools|nodes|intent|workloads")


def is_deleted(rig, name):
    """Deletes it, again if the answer was lost; then nothing of it is anywhere."""
    path = f"/apis/batch/v1/namespaces/default/jobs/{name}"

    def gone():
        status, _ = rig.ask("GET", path)
        if status == 200:
            rig.ask("DELETE", path + "?propagationPolicy=Background")
        return status == 404

    rig.until(gone, f"{name} is deleted")
    rig.until(lambda: rig.is_clean(name), f"the copy of {name} is swept")
    rig.until(lambda: rig.ask("GET", WORKLOADS)[0] == 200 and not rig.workload(name), f"the workload of {name} is let go")


def is_deleted_while_it_runs(rig, name, arm):
    rig.create(job(name, "100000s", backoffLimit=0))
    rig.until(lambda: rig.ran(name) == 1, f"{name} runs")
    rig.until(lambda: (rig.job(name) or {}).get("status", {}).get("active"), f"{name} is known to run")
    arm()

    is_deleted(rig, name)
    assert rig.ran(name) == 1


@pytest.mark.parametrize("shard", range(2))
def test_a_deleted_job_leaves_nothing_whichever_write_is_cut_off(rig, shard):
    run_cases(rig(), is_deleted_while_it_runs, shard, 2)


def stops_and_goes_on(rig, name, arm):
    path = f"/apis/batch/v1/namespaces/default/jobs/{name}"
    rig.create(job(name, "100000s", backoffLimit=0))
    rig.until(lambda: rig.ran(name) == 1, f"{name} runs")
    arm()
    wish = {"spec": {"suspend": True}}
    rig.until(lambda: rig.ask("PATCH", path, wish, "application/merge-patch+json")[0] == 200, "the wish to stop is taken")
    rig.until(lambda: rig.is_clean(name), f"{name} is stopped and swept")
    wish["spec"]["suspend"] = False
    rig.until(lambda: rig.ask("PATCH", path, wish, "application/merge-patch+json")[0] == 200, "the wish to go on is taken")
    rig.until(lambda: rig.ran(name) == 2, f"{name} runs again")
    rig.until(lambda: (rig.job(name) or {}).get("status", {}).get("active"), f"{name} is known to run again")
    is_deleted(rig, name)
    assert rig.ran(name) == 2, f"{rig.armed}: {name} ran {rig.ran(name)} times, expected once before and once after its stop"


@pytest.mark.parametrize("shard", range(2))
def test_a_stopped_job_goes_on_once_whichever_write_is_cut_off(rig, shard):
    run_cases(rig(), stops_and_goes_on, shard, 2, only="workloads|jobs")


def starts_first(rig, number, fault=None):
    """A new installation, whose clusters nobody has claimed yet, from its first moment to its first job."""
    for name, o in rig.workers.items():
        o.api.call("DELETE", "/api/v1/namespaces/spillway-system/configmaps/spillway-claim")
    rig.site.write_config(data=f"data-{number}")
    rig.arm(fault, "")
    at = rig.log_end()
    rig.start(wait=False)

    def serves():
        rig.revive()
        return "serving" in rig.site.gateway.text()

    eventually(serves, "it serves")
    clusters = lambda: (rig.ask("GET", "/spillway/v1/clusters")[1] or {}).get("items", [])
    epoch = lambda: [o.api.get("/api/v1/namespaces/spillway-system/configmaps/spillway-claim")[1].get("data", {}).get("epoch") for o in rig.workers.values()]
    rig.until(lambda: [c["state"] for c in clusters()] == ["Ready"] * 2, "both clusters are claimed")
    fired = lambda: fault and "! " in rig.points.read_text()[at:]
    rig.until(lambda: fired() or epoch() in (["2", "2"], ["3", "3"]), "the claims say that this start is over")
    name = f"first-{number}"
    rig.create(job(name, "5s"))
    rig.until(lambda: rig.is_complete(name), f"{name} ends")
    rig.until(lambda: rig.is_clean(name), f"the copy of {name} is swept")
    assert rig.ran(name) == 1
    rig.arm(None, "")
    rig.site.gateway.stop()
    return rig.points.read_text()[at:].splitlines()


@pytest.mark.parametrize("shard", range(2))
def test_a_first_start_ends_well_whichever_write_is_cut_off(rig, shard):
    rig = rig(start=False)
    lines = starts_first(rig, "learn")
    first = next(i for i, line in enumerate(lines) if "first-learn" in line)
    passed = [line.partition(" ")[0] for line in lines[:first] if " GET " not in line]
    cases = [Fault(where, n + 1, action, "") for where in ACTIONS for n in range(passed.count(where)) for action in ACTIONS[where]]
    assert len(cases) > 20 and {"file.write.after", "kube.send"} <= set(passed), passed
    for i, fault in enumerate(cases):
        if i % 2 == shard:
            starts_first(rig, f"{shard}-{i}", fault)
