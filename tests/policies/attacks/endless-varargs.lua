-- SPDX-License-Identifier: Apache-2.0
-- copies many arguments, for ever
-- fails: call
-- error: endless-varargs.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local function f(...) while true do select("#", ...) end end f(table.unpack({}, 1, 1000)) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
