-- SPDX-License-Identifier: Apache-2.0
-- calls itself for ever without a deeper stack
-- fails: call
-- error: endless-tail-calls.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local function f() return f() end f() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
