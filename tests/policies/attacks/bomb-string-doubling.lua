-- SPDX-License-Identifier: Apache-2.0
-- doubles a text
-- fails: call
-- error: bomb-string-doubling.lua:8: ... needs a string longer than 8 KiB

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local s = "x" while true do s = s .. s end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
