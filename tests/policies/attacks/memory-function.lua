-- SPDX-License-Identifier: Apache-2.0
-- replaces itself
-- fails: call
-- error: memory-function.lua:8: ... the global "place" cannot be written from inside a call

function place(w, candidates, ctx)
  if w.name == "attack" then
    do place = function() return {} end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
