-- SPDX-License-Identifier: Apache-2.0
-- has a step that goes nowhere
-- fails: call
-- error: plan-of-nothing.lua:6: ... step 1: candidates is empty

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = {}, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
