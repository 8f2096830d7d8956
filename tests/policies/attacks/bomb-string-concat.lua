-- SPDX-License-Identifier: Apache-2.0
-- joins a long list
-- fails: call
-- error: bomb-string-concat.lua:8: ... needs a string longer than 8 KiB

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local t = {} for i = 1, 1000 do t[i] = "0123456789" end return table.concat(t) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
