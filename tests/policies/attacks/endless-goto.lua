-- SPDX-License-Identifier: Apache-2.0
-- runs for ever without a loop
-- fails: call
-- error: endless-goto.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do ::again:: goto again end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
