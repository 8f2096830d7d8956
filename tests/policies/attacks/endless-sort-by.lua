-- SPDX-License-Identifier: Apache-2.0
-- sorts candidates by C alone
-- fails: call
-- error: endless-sort-by.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do while true do sort_by(candidates, "price", "free", "cluster") end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
