-- SPDX-License-Identifier: Apache-2.0
-- waits for ever
-- fails: call
-- error: plan-endless-patience.lua:6: ... step 1: patience is inf

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 1 }, patience = math.huge } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
