-- SPDX-License-Identifier: Apache-2.0
-- orders the keys of a table for ever
-- fails: call
-- error: endless-pairs.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local t = {} for i = 1, 500 do t["k" .. i] = i end while true do pairs(t) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
