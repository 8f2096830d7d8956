-- SPDX-License-Identifier: Apache-2.0
-- makes a candidate up
-- fails: call
-- error: plan-forged-candidate.lua:6: ... a table that is not one of the candidates given

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { { cluster = "moon", pool = "x", index = 1 } }, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
