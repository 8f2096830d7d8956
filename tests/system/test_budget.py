# SPDX-License-Identifier: Apache-2.0
"""A queue's budget: what its jobs spend on bought nodes is counted, survives a restart, and holds a policy back."""
import kubernetes

from conftest import Door, BUILD, api_of, eventually, job, run


def spent(site):
    text = Door(site.admin).call("GET", "/metrics")[1]
    return next((float(line.split()[1]) for line in text.splitlines() if line.startswith('spillway_queue_spent_usd{queue="default/team"}')), 0)


def gpu_job(name):
    body = job(name, "60000s", annotations={"spillway.dev/gpu": "H100"})
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"nvidia.com/gpu": "8"}}
    return body


def placed(site, name):
    found = kubernetes.client.BatchV1Api(api_of(site.admin)).read_namespaced_job(name, "default").status
    return bool(found.active)


def test_spending_is_counted_kept_and_holds_the_queue_back(site):
    # half a dollar is some seconds of eight H100; the window is so long that a restart stays in it
    budgets = [{"queue": "default/team", "limit": 0.5, "window": "3650d"}]
    s = site(policy__file="burst", budgets=budgets)
    s.start_gateway()
    kubernetes.client.BatchV1Api(api_of(s.admin)).create_namespaced_job("default", gpu_job("spends"))
    eventually(lambda: placed(s, "spends"), "it runs on a bought node")
    before = eventually(lambda: spent(s), "its cost is counted")

    s.gateway.stop()
    s.write_config(policy__file="fair-spend", budgets=budgets)
    s.start_gateway()
    after = eventually(lambda: spent(s), "what was spent is known after a restart")
    assert after >= before > 0
    eventually(lambda: spent(s) > after, "and it goes on counting")

    kubernetes.client.BatchV1Api(api_of(s.admin)).create_namespaced_job("default", gpu_job("waits"))
    shown = eventually(lambda: (lambda t: t if "nothing more is bought" in t or "pace" in t else None)(
        run(BUILD / "spillway", "explain", "job/waits", "--kubeconfig", s.admin)), "the policy holds it back and says why")
    assert "queue team" in shown and not placed(s, "waits")


def test_a_budget_that_is_none_is_refused_by_name(site, tmp_path):
    s = site()
    for wrong in ({"queue": "a", "limit": 5}, {"queue": "a", "limit": 0, "window": "1d"}, {"queue": "a", "limit": 5, "window": "soon"},
                  {"queue": "a", "limit": "5", "window": "1d"}, {"queue": "a", "limit": 5, "window": "1d", "more": 1}):
        done = run(BUILD / "spillway", "config", "check", s.write_config(data="other", budgets=[wrong]), check=False)
        assert done.returncode == 1 and "expected queue" in done.stderr and "other.yaml:" in done.stderr, done
