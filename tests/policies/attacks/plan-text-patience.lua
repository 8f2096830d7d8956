-- SPDX-License-Identifier: Apache-2.0
-- has a patience in words
-- fails: call
-- error: plan-text-patience.lua:6: ... step 1: patience is a string

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 1 }, patience = "60" } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
