-- SPDX-License-Identifier: Apache-2.0
-- raises nothing
-- fails: call
-- error: error-nil.lua:8: ... not a string but a nil

function place(w, candidates, ctx)
  if w.name == "attack" then
    do error(nil) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
