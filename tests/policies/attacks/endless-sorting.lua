-- SPDX-License-Identifier: Apache-2.0
-- sorts by C alone
-- fails: call
-- error: endless-sorting.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local t = {} for i = 1, 2000 do t[i] = -i end while true do table.sort(t) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
