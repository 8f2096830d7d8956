-- SPDX-License-Identifier: Apache-2.0
-- has a reason that is a table
-- fails: call
-- error: plan-reason-table.lua:6: ... reason is a table

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { reason = {} } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
