-- SPDX-License-Identifier: Apache-2.0
-- labels the job
-- fails: call
-- error: memory-of-labels.lua:8: ... w.labels can only be read

function place(w, candidates, ctx)
  if w.name == "attack" then
    do w.labels.team = "x" end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
