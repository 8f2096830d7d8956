-- SPDX-License-Identifier: Apache-2.0
-- never comes back, through C
-- fails: call
-- error: deep-recursion-in-sort.lua:8: ... C stack overflow

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local function f() table.sort({ 1, 2 }, f) end f() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
