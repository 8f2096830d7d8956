# SPDX-License-Identifier: Apache-2.0
"""A policy that changes is tried and takes over; a bad one is refused, and the last good one goes on deciding."""
import signal

import kubernetes
import pytest

from conftest import BUILD, Door, api_of, eventually, job, run

GOOD = """
function place(w, candidates, ctx)
  local fit = {}
  for _, c in ipairs(candidates) do if c.fits and #fit < 32 then fit[#fit + 1] = c end end
  if #fit == 0 then return {} end
  return { { candidates = fit, patience = 600 }, reason = "%s" }
end
"""


def reason_of(site, name):
    """What the job's events say of its placement."""
    events = kubernetes.client.CoreV1Api(api_of(site.admin)).list_namespaced_event("default", field_selector=f"involvedObject.name={name}").items
    return next((e.message for e in events if e.reason == "Placed"), None)


def test_a_broken_policy_is_refused_and_the_last_good_one_stays(site, tmp_path):
    policy = tmp_path / "place.lua"
    policy.write_text(GOOD % "the first policy")
    s = site(policy__file=str(policy))
    gateway = s.start_gateway()
    batch = kubernetes.client.BatchV1Api(api_of(s.admin))

    batch.create_namespaced_job("default", job("one"))
    assert "the first policy" in eventually(lambda: reason_of(s, "one"), "the first job is placed")

    policy.write_text("function place(w, candidates, ctx)\n  return {\n")
    gateway.p.send_signal(signal.SIGHUP)
    gateway.wait_for("the new policy is refused")
    assert "place.lua:3" in gateway.text()
    batch.create_namespaced_job("default", job("two"))
    assert "the first policy" in eventually(lambda: reason_of(s, "two"), "the second job is placed by the last good policy")

    policy.write_text(GOOD % "the second policy")
    gateway.p.send_signal(signal.SIGHUP)
    gateway.wait_for("policy reloaded")
    batch.create_namespaced_job("default", job("three"))
    assert "the second policy" in eventually(lambda: reason_of(s, "three"), "the third job is placed by the new policy")


# Candidates that fit come first, and no index is taken for granted.
TESTED = """
local WORDS = "%s"
function place(w, candidates, ctx)
  local fit = filter(candidates, "fits")
  if #fit == 0 then return {} end
  return { { candidates = first(fit, 32), patience = 600 }, reason = WORDS }
end
"""
TESTS = """
return { { name = "what fits is taken", candidates = { { pool = "a" } }, expect = "a", expect_reason = "%s" } }
"""


def metric(site, name):
    text = Door(site.admin).call("GET", "/metrics")[1]
    return {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if line.startswith(name)}


def placed_by(site, name):
    batch = kubernetes.client.BatchV1Api(api_of(site.admin))
    batch.create_namespaced_job("default", job(name))
    return eventually(lambda: reason_of(site, name), f"{name} is placed")


def test_a_file_that_changes_is_tried_with_its_tests_and_takes_over_by_itself(site, tmp_path):
    policy, tests = tmp_path / "place.lua", tmp_path / "place.test.lua"
    policy.write_text(TESTED % "first")
    tests.write_text(TESTS % "first")
    s = site(policy__file=str(policy))
    gateway = s.start_gateway()
    assert "first" in placed_by(s, "one")
    (before,) = [k for k, v in metric(s, "spillway_policy_info").items() if v == 1]

    policy.write_text(TESTED % "second")  # its test still wants the first
    gateway.wait_for("the new policy is refused")
    assert 'found "second", expected "first"' in gateway.text().replace('\\"', '"')
    assert "first" in placed_by(s, "two")

    fresh = tmp_path / "place.test.lua.new"
    fresh.write_text(TESTS % "second")
    fresh.rename(tests)  # as editors and ConfigMaps do it
    gateway.wait_for("policy reloaded")
    assert "second" in placed_by(s, "three")
    (after,) = [k for k, v in metric(s, "spillway_policy_info").items() if v == 1]
    assert before != after and "place.lua" in after
    counted = metric(s, "spillway_policy_reloads_total")
    assert counted['spillway_policy_reloads_total{result="accepted"}'] == 1 and counted['spillway_policy_reloads_total{result="refused"}'] >= 1

    policy.unlink()
    gateway.wait_for("cannot open")
    assert "second" in placed_by(s, "four")


def test_a_policy_whose_tests_fail_stops_the_start(site, tmp_path):
    (tmp_path / "place.lua").write_text(TESTED % "first")
    (tmp_path / "place.test.lua").write_text(TESTS % "other")
    s = site(policy__file=str(tmp_path / "place.lua"))
    gateway = s.start_gateway(wait=False)
    assert gateway.p.wait(timeout=30) == 1
    assert "policy.file" in gateway.text() and "what fits is taken" in gateway.text()


def test_a_queue_may_have_a_policy_of_its_own(site, tmp_path):
    (tmp_path / "mine.lua").write_text(TESTED % "the queue's own policy")
    s = site(policies=[{"queue": "default/team", "file": str(tmp_path / "mine.lua")}, {"queue": "elsewhere", "file": "onprem-only"}])
    s.start_gateway()
    assert "the queue's own policy" in placed_by(s, "one")
    shown = run(BUILD / "spillway", "explain", "job/one", "--kubeconfig", s.admin)
    assert "mine.lua" in shown
    info = metric(s, "spillway_policy_info")
    assert sum(v for v in info.values()) == 3 and any('queue="elsewhere",policy="policies/onprem-only.lua"' in k for k in info)
    for wrong, says in (([{"queue": "a"}], "expected queue"), ([{"queue": "a", "file": "brst"}], 'did you mean "burst"?'),
                        ([{"queue": "a", "file": "burst"}, {"queue": "a", "file": "soonest"}], "has a policy already")):
        bad = s.write_config(data="other", policies=wrong)
        done = run(BUILD / "spillway", "config", "check", bad, check=False)
        assert done.returncode == 1 and says in done.stderr, done


def told(site, reason):
    """Events on the AdmissionCheck, which stands for the gateway."""
    events = kubernetes.client.CoreV1Api(api_of(site.admin)).list_event_for_all_namespaces(field_selector="involvedObject.name=spillway").items
    return [e.message for e in events if e.reason == reason and e.involved_object.kind == "AdmissionCheck"]


GPUS = "model,family,memory_gib,vendor,resource,source,date\n"


def catalog_metric(site):
    (now,) = [k for k, v in metric(site, "spillway_catalog_info").items() if v == 1]
    return now


def known(site, name, gpu):
    """Is a job that asks for this GPU admitted?"""
    body = job(name, annotations={"spillway.dev/gpu": gpu})
    body["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] = {"nvidia.com/gpu": "1"}
    try:
        kubernetes.client.BatchV1Api(api_of(site.admin)).create_namespaced_job("default", body)
    except kubernetes.client.ApiException as e:
        assert f'"{gpu}"' in e.body.replace("\\", ""), e.body
        return False
    return True


def test_a_table_that_changes_takes_over_and_a_broken_one_does_not(site, tmp_path):
    table = tmp_path / "site-gpus.csv"
    table.write_text(GPUS + "Q1,Q,16,nvidia,nvidia.com/gpu,made up,2026-11-01\n")
    s = site(catalog={"files": [str(table)]})
    gateway = s.start_gateway()
    first = catalog_metric(s)
    assert known(s, "one", "Q1") and not known(s, "two", "Q2")

    table.write_text(GPUS + "Q1,Q,16,nvidia,nvidia.com/gpu,made up,2026-11-01\nQ2,Q,much,nvidia,nvidia.com/gpu,made up,2026-11-01\n")
    gateway.wait_for("the new catalog is refused")
    assert "site-gpus.csv:3" in gateway.text()
    assert catalog_metric(s) == first and known(s, "three", "Q1") and not known(s, "four", "Q2")

    fresh = tmp_path / "fresh.csv"
    fresh.write_text(GPUS + "Q1,Q,16,nvidia,nvidia.com/gpu,made up,2026-11-01\nQ2,Q,32,nvidia,nvidia.com/gpu,made up,2026-11-01\n")
    fresh.rename(table)
    gateway.wait_for("catalog reloaded")
    assert catalog_metric(s) != first and known(s, "five", "Q2")
    counted = metric(s, "spillway_catalog_reloads_total")
    assert counted['spillway_catalog_reloads_total{result="accepted"}'] == 1 and counted['spillway_catalog_reloads_total{result="refused"}'] >= 1
    assert "site-gpus.csv:3" in eventually(lambda: told(s, "CatalogRefused"), "an event says what is wrong")[0]
    assert eventually(lambda: told(s, "CatalogReloaded"), "an event says which version decides")
    assert gateway.stop() == 0


def mounted(folder, version, files):
    """What the kubelet does when a ConfigMap changes: a new folder, and `..data` that names it instead of the old one."""
    fresh = folder / f"..{version}"
    fresh.mkdir(parents=True)
    for name, text in files.items():
        (fresh / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(fresh.name)
    (folder / "..data_tmp").rename(folder / "..data")


@pytest.mark.parametrize("named", ["place.lua", "..data/place.lua"])
def test_a_mounted_configmap_is_followed(site, tmp_path, named):
    folder = tmp_path / "mounted"
    mounted(folder, "1", {"place.lua": TESTED % "first", "place.test.lua": TESTS % "first"})
    s = site(policy__file=str(folder / named))
    gateway = s.start_gateway()
    assert "first" in placed_by(s, "one")

    for version in ("second", "third"):
        mounted(folder, version, {"place.lua": TESTED % version, "place.test.lua": TESTS % version})
        eventually(lambda: gateway.text().count("policy reloaded") == {"second": 1, "third": 2}[version], f"the {version} policy decides")
        assert version in placed_by(s, f"job-{version}")
        assert eventually(lambda: told(s, "PolicyReloaded"), "an event says which version decides")
