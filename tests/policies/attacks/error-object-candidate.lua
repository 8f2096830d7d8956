-- SPDX-License-Identifier: Apache-2.0
-- raises one of its inputs
-- fails: call
-- error: error-object-candidate.lua:8: ... not a string but a table

function place(w, candidates, ctx)
  if w.name == "attack" then
    do error(candidates[1]) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
