-- SPDX-License-Identifier: Apache-2.0
-- counts with a price that nobody knows
-- fails: call
-- error: nil-arithmetic.lua:8: ... attempt to perform arithmetic on a nil value (field 'price')

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return candidates[1].price + 1 end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
