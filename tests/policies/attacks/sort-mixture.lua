-- SPDX-License-Identifier: Apache-2.0
-- sorts what has no order
-- fails: call
-- error: sort-mixture.lua:8: ... table.sort: cannot compare

function place(w, candidates, ctx)
  if w.name == "attack" then
    do table.sort({ 1, "a" }) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
