-- SPDX-License-Identifier: Apache-2.0
-- returns a text
-- fails: call
-- error: plan-text.lua:6: ... place() returned string

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return "gke/h100" end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
