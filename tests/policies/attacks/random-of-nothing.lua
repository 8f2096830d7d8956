-- SPDX-License-Identifier: Apache-2.0
-- draws from an empty interval
-- fails: call
-- error: random-of-nothing.lua:8: ... interval is empty

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return math.random(2, 1) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
