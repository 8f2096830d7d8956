-- SPDX-License-Identifier: Apache-2.0
-- names a candidate past the largest number
-- fails: call
-- error: plan-index-overflow.lua:6: ... step 1, candidate 1: found 9.2233720368548e+18

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 2 ^ 63 }, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
