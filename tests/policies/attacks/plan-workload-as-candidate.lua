-- SPDX-License-Identifier: Apache-2.0
-- gives the workload as a candidate
-- fails: call
-- error: plan-workload-as-candidate.lua:6: ... a table that is not one of the candidates given

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { w }, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
