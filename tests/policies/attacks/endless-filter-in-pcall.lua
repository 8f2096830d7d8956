-- SPDX-License-Identifier: Apache-2.0
-- never answers inside the library, and catches the end
-- fails: call
-- error: endless-filter-in-pcall.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do while true do pcall(filter, candidates, function() while true do end end) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
