-- SPDX-License-Identifier: Apache-2.0
-- catches it on many levels at once
-- fails: call
-- error: endless-pcall-deep.lua:8: ... 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local function f() pcall(f) f() end while true do pcall(f) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
