-- SPDX-License-Identifier: Apache-2.0
-- ranks by what is not there
-- fails: call
-- error: field-of-candidate-misspelt.lua:8: ... a candidate has no field "prize", did you mean "price"?

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return sort_by(candidates, "prize") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
