-- SPDX-License-Identifier: Apache-2.0
-- gives a score that is not a number
-- fails: call
-- error: rank-nan.lua:6: ... rank() returned 

function rank(w, c, ctx)
  if w.name == "attack" then
    do return 0 / 0 end
  end
  return -c.index, "fine"
end
