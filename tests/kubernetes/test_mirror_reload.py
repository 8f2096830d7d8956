# SPDX-License-Identifier: Apache-2.0
"""A changed policy in mirror role: what became of it stands where the owner of the queues looks, in events on the AdmissionCheck."""
import uuid

import pytest

from process import eventually

pytestmark = pytest.mark.alone

GOOD = """
function place(w, candidates, ctx)
  local fit = first(filter(candidates, "fits"), 32)
  return #fit > 0 and { { candidates = fit, patience = %d } } or {}
end
"""


def told(api, reason, what):
    """Is there an event with this reason on the AdmissionCheck, as `kubectl describe admissioncheck` finds it, whose message holds `what`?"""
    check = api.get("/apis/kueue.x-k8s.io/v1beta2/admissionchecks/spillway")
    events = api.get(f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.uid={check['metadata']['uid']},reason={reason}")["items"]
    return any(what in e["message"] for e in events if e["involvedObject"]["kind"] == "AdmissionCheck")


def test_what_became_of_a_changed_policy_is_told_on_the_admission_check(own, tmp_path):
    policy = tmp_path / f"{uuid.uuid4().hex}.lua"  # events of earlier runs stay on the server for an hour
    policy.write_text(GOOD % 60)
    g = own("mirror", policy={"file": str(policy)})

    policy.write_text("function place(w, candidates, ctx)\n  return {\n")
    eventually(lambda: told(g.api, "PolicyRefused", f"{policy}:3"), "an event says that the new policy is refused, and where")
    policy.write_text(GOOD % 61)
    eventually(lambda: told(g.api, "PolicyReloaded", str(policy)), "an event says that the new policy decides")
