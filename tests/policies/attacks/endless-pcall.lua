-- SPDX-License-Identifier: Apache-2.0
-- catches what should end it, and goes on
-- fails: call
-- error: endless-pcall.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do while true do pcall(function() while true do end end) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
