-- SPDX-License-Identifier: Apache-2.0
-- has less than no patience
-- fails: call
-- error: plan-negative-patience.lua:6: ... step 1: patience is -1

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 1 }, patience = -1 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
