-- SPDX-License-Identifier: Apache-2.0
-- moves a long list by one, for ever
-- fails: call
-- error: endless-insert.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local t = {} for i = 1, 3000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
