-- SPDX-License-Identifier: Apache-2.0
-- makes a candidate cheaper
-- fails: call
-- error: memory-candidate.lua:8: ... a candidate can only be read: its field "price"

function place(w, candidates, ctx)
  if w.name == "attack" then
    do candidates[1].price = 0 end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
