-- SPDX-License-Identifier: Apache-2.0
-- fills memory, and catches what should end it
-- fails: call
-- error: bomb-tables-in-pcall.lua:8: ... 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do while true do pcall(function() local t = {} while true do t = { t } end end) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
