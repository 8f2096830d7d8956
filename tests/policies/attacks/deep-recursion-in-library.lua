-- SPDX-License-Identifier: Apache-2.0
-- never comes back, through the library
-- fails: call
-- error: deep-recursion-in-library.lua:8: ... C stack overflow

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local function f() filter(candidates, f) end f() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
