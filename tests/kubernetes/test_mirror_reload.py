# SPDX-License-Identifier: Apache-2.0
"""A changed policy in mirror role: what became of it stands where the owner of the queues looks, in events on the AdmissionCheck."""
import pytest

from process import eventually

pytestmark = pytest.mark.alone

GOOD = """
function place(w, candidates, ctx)
  local fit = first(filter(candidates, "fits"), 32)
  return #fit > 0 and { { candidates = fit, patience = %d } } or {}
end
"""


def told(api, reason):
    """Messages of the events with this reason on the AdmissionCheck, as `kubectl describe admissioncheck` finds them."""
    check = api.get("/apis/kueue.x-k8s.io/v1beta2/admissionchecks/spillway")
    events = api.get(f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.uid={check['metadata']['uid']},reason={reason}")["items"]
    return [e["message"] for e in events if e["involvedObject"]["kind"] == "AdmissionCheck"]


def test_what_became_of_a_changed_policy_is_told_on_the_admission_check(own, tmp_path):
    policy = tmp_path / "place.lua"
    policy.write_text(GOOD % 60)
    g = own("mirror", policy={"file": str(policy)})

    policy.write_text("function place(w, candidates, ctx)\n  return {\n")
    refused = eventually(lambda: told(g.api, "PolicyRefused"), "an event says that the new policy is refused")
    assert "place.lua:3" in refused[-1]

    before = len(told(g.api, "PolicyReloaded"))
    policy.write_text(GOOD % 61)
    eventually(lambda: len(told(g.api, "PolicyReloaded")) > before, "an event says that the new policy decides")
