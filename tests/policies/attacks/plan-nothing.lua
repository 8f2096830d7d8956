-- SPDX-License-Identifier: Apache-2.0
-- returns nothing
-- fails: call
-- error: plan-nothing.lua:6: ... place() returned nil

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return nil end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
