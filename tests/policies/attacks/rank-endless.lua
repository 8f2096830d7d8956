-- SPDX-License-Identifier: Apache-2.0
-- gives a score above all others
-- fails: call
-- error: rank-endless.lua:6: ... rank() returned inf

function rank(w, c, ctx)
  if w.name == "attack" then
    do return math.huge end
  end
  return -c.index, "fine"
end
