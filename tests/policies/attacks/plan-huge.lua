-- SPDX-License-Identifier: Apache-2.0
-- has a thousand steps
-- fails: call
-- error: plan-huge.lua:12: ... place() returned 1000 steps, at most 16 are allowed

local function many(n)
  local t = {}
  for i = 1, n do t[i] = { patience = 60 } end
  return t
end

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return map(filter(many(1000), "patience"), function(s) return s end) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
