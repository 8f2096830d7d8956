-- SPDX-License-Identifier: Apache-2.0
-- compares for ever inside a sort
-- fails: call
-- error: endless-comparison.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do table.sort({ 3, 2, 1 }, function() while true do end end) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
