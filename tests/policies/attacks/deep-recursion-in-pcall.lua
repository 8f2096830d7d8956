-- SPDX-License-Identifier: Apache-2.0
-- never comes back, and catches what should end it
-- fails: call
-- error: deep-recursion-in-pcall.lua:8: ... 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local function f() return pcall(f) end f() while true do end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
