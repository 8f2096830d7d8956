-- SPDX-License-Identifier: Apache-2.0
-- counts its calls in a global
-- fails: call
-- error: memory-global.lua:8: ... the global "count" cannot be written from inside a call

function place(w, candidates, ctx)
  if w.name == "attack" then
    do count = (count or 0) + 1 end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
