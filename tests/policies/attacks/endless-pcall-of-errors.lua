-- SPDX-License-Identifier: Apache-2.0
-- raises and catches for ever
-- fails: call
-- error: endless-pcall-of-errors.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do while true do pcall(error, {}) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
