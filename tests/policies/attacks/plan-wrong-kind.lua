-- SPDX-License-Identifier: Apache-2.0
-- wants spot nodes and names others
-- fails: call
-- error: plan-wrong-kind.lua:6: ... is not spot, and spot is "only"

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 1 }, patience = 60, spot = "only" } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
