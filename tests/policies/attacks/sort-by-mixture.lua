-- SPDX-License-Identifier: Apache-2.0
-- gives keys of two kinds
-- fails: call
-- error: sort-by-mixture.lua:8: ... a key gives values of two kinds

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local n = 0 sort_by(candidates, function() n = n + 1 return n > 1 and "x" or 1 end) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
