-- SPDX-License-Identifier: Apache-2.0
-- has no limit, in so many words
-- fails: call
-- error: plan-endless-price.lua:6: ... the plan: max_price is inf

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 1 }, patience = 60 }, max_price = math.huge } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
