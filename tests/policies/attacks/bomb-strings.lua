-- SPDX-License-Identifier: Apache-2.0
-- fills memory with texts
-- fails: call
-- error: bomb-strings.lua:8: ... needs 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local t, n = {}, 0 while true do n = n + 1 t["key" .. n .. "0123456789012345678901234567890123456789"] = n end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
