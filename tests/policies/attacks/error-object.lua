-- SPDX-License-Identifier: Apache-2.0
-- raises a table
-- fails: call
-- error: error-object.lua:8: ... the policy raised an error that is not a string but a table

function place(w, candidates, ctx)
  if w.name == "attack" then
    do error({ code = 1 }) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
