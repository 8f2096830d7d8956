-- SPDX-License-Identifier: Apache-2.0
-- compiles what no compiler made
-- fails: call
-- error: escape-bytecode.lua:8: ... global 'load'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do load("\27Lua", "x", "b") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
