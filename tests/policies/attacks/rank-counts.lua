-- SPDX-License-Identifier: Apache-2.0
-- gives each candidate a better score than the one before
-- fails: call
-- error: rank-counts.lua:8: ... the global "count" cannot be written

function rank(w, c, ctx)
  if w.name == "attack" then
    do count = (count or 0) + 1 return count end
  end
  return -c.index, "fine"
end
