-- SPDX-License-Identifier: Apache-2.0
-- asks for what is not there
-- fails: call
-- error: field-misspelt.lua:8: ... the workload has no field "nmae", did you mean "name"?

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return w.nmae end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
