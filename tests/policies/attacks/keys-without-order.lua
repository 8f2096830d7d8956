-- SPDX-License-Identifier: Apache-2.0
-- walks a table whose keys have no order
-- fails: call
-- error: keys-without-order.lua:8: ... pairs: a key is a table

function place(w, candidates, ctx)
  if w.name == "attack" then
    do for k in pairs({ [{}] = 1 }) do end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
