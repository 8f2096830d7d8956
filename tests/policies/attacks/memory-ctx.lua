-- SPDX-License-Identifier: Apache-2.0
-- sets the clock
-- fails: call
-- error: memory-ctx.lua:8: ... ctx can only be read: its field "now"

function place(w, candidates, ctx)
  if w.name == "attack" then
    do ctx.now = 0 end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
