-- SPDX-License-Identifier: Apache-2.0
-- never comes back
-- fails: call
-- error: deep-recursion.lua:8: ... 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local function f() return 1 + f() end f() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
