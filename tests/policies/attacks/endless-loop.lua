-- SPDX-License-Identifier: Apache-2.0
-- runs for ever
-- fails: call
-- error: endless-loop.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do while true do end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
