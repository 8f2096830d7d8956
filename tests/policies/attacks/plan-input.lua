-- SPDX-License-Identifier: Apache-2.0
-- returns the list it was given
-- fails: call
-- error: plan-input.lua:6: ... place() returned one of its inputs

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return candidates end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
