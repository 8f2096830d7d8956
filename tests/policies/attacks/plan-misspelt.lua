-- SPDX-License-Identifier: Apache-2.0
-- misspells a field
-- fails: call
-- error: plan-misspelt.lua:6: ... step 1: unknown field "patince"

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 1 }, patience = 60, patince = 1 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
