-- SPDX-License-Identifier: Apache-2.0
-- never gives a score
-- fails: call
-- error: rank-loop.lua:8: ... used up its instructions

function rank(w, c, ctx)
  if w.name == "attack" then
    do while true do end end
  end
  return -c.index, "fine"
end
