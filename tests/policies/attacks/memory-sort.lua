-- SPDX-License-Identifier: Apache-2.0
-- sorts the list it was given
-- fails: call
-- error: memory-sort.lua:8: ... this list can only be read; sort_by

function place(w, candidates, ctx)
  if w.name == "attack" then
    do table.sort(candidates, function(a, b) return a.pool < b.pool end) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
