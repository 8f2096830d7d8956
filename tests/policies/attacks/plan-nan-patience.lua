-- SPDX-License-Identifier: Apache-2.0
-- has a patience that is not a number
-- fails: call
-- error: plan-nan-patience.lua:6: ... step 1: patience is 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 1 }, patience = 0 / 0 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
