-- SPDX-License-Identifier: Apache-2.0
-- makes a table that runs code when it is read
-- fails: call
-- error: metatable.lua:8: ... global 'setmetatable'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do setmetatable({}, { __index = function() while true do end end }) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
