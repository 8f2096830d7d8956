-- SPDX-License-Identifier: Apache-2.0
-- says yes instead of a score
-- fails: call
-- error: rank-true.lua:6: ... rank() returned a boolean

function rank(w, c, ctx)
  if w.name == "attack" then
    do return true end
  end
  return -c.index, "fine"
end
