-- SPDX-License-Identifier: Apache-2.0
-- writes to the workload
-- fails: call
-- error: memory-workload.lua:8: ... the workload can only be read: its field "priority"

function place(w, candidates, ctx)
  if w.name == "attack" then
    do w.priority = 1e9 end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
