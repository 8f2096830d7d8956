# SPDX-License-Identifier: Apache-2.0
"""SIGHUP reads the policy again; one that does not compile is refused, and the last good one goes on deciding."""
import signal

import kubernetes

from conftest import api_of, eventually, job

GOOD = """
function place(w, candidates, ctx)
  local fit = {}
  for _, c in ipairs(candidates) do if c.fits then fit[#fit + 1] = c end end
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
