-- SPDX-License-Identifier: Apache-2.0
-- looks behind a candidate
-- fails: call
-- error: metatable-of-candidate.lua:8: ... a candidate has no field "__index"

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return candidates[1].__index end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
