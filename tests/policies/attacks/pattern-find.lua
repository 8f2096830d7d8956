-- SPDX-License-Identifier: Apache-2.0
-- a pattern that goes back without bound
-- fails: call
-- error: pattern-find.lua:8: ... attempt to call a nil value (method 'find')

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return ("a"):find(("a-a-a-a-a-b")) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
