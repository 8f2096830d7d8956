-- SPDX-License-Identifier: Apache-2.0
-- never gives the key of the first item
-- fails: call
-- error: endless-key.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do sort_by(candidates, function() while true do end end) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
