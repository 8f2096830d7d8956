-- SPDX-License-Identifier: Apache-2.0
-- returns a function
-- fails: call
-- error: plan-function.lua:6: ... place() returned function

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return place end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
