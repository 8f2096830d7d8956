-- SPDX-License-Identifier: Apache-2.0
-- gives every text a method
-- fails: call
-- error: metatable-of-strings.lua:8: ... global 'getmetatable'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do getmetatable("").__index = nil end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
