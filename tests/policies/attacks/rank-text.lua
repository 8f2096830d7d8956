-- SPDX-License-Identifier: Apache-2.0
-- gives a score in words
-- fails: call
-- error: rank-text.lua:6: ... rank() returned a string

function rank(w, c, ctx)
  if w.name == "attack" then
    do return "best" end
  end
  return -c.index, "fine"
end
