-- SPDX-License-Identifier: Apache-2.0
-- has holes
-- fails: call
-- error: plan-with-holes.lua:6: ... the plan is a list with holes

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { [2] = { candidates = { 1 }, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
