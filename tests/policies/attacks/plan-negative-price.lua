-- SPDX-License-Identifier: Apache-2.0
-- wants to be paid
-- fails: call
-- error: plan-negative-price.lua:6: ... step 1: max_price is -5

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 1 }, patience = 60, max_price = -5 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
