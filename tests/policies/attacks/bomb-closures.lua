-- SPDX-License-Identifier: Apache-2.0
-- fills memory with functions
-- fails: call
-- error: bomb-closures.lua:8: ... needs more memory than a policy may use

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local f while true do local g = f f = function() return g end end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
