-- SPDX-License-Identifier: Apache-2.0
-- runs when memory is collected, where no one counts
-- fails: call
-- error: finalizer.lua:8: ... global 'setmetatable'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do setmetatable({}, { __gc = function() while true do end end }) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
