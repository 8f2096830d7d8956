-- SPDX-License-Identifier: Apache-2.0
-- names a candidate twice
-- fails: call
-- error: plan-twice.lua:6: ... stands there twice

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { candidates[1], 1 }, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
