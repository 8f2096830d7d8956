-- SPDX-License-Identifier: Apache-2.0
-- pads a number
-- fails: call
-- error: bomb-string-format.lua:8: ... attempt to call a nil value (method 'format')

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return ("%99d"):format(1) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
