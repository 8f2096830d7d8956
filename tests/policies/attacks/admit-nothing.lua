-- SPDX-License-Identifier: Apache-2.0
-- forgets to return
-- fails: call
-- error: admit-nothing.lua:6: ... admit() returned nil, expected true, or false and a reason

function admit(w, ctx)
  if w.name ~= "attack" then return true end
end

function place(w, candidates, ctx)
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
