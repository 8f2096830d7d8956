-- SPDX-License-Identifier: Apache-2.0
-- has a step of 33
-- fails: call
-- error: plan-wide.lua:12: ... step 1: 33 candidates, at most 32 are allowed

local function many(n)
  local t = {}
  for i = 1, n do t[i] = 1 end
  return t
end

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = many(33), patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
