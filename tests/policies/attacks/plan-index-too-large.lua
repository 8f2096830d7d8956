-- SPDX-License-Identifier: Apache-2.0
-- names the candidate after the last
-- fails: call
-- error: plan-index-too-large.lua:6: ... step 1, candidate 1: found 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { #candidates + 1 }, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
