-- SPDX-License-Identifier: Apache-2.0
-- fills a table
-- fails: call
-- error: bomb-table.lua:8: ... needs 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local t = {} while true do t[#t + 1] = #t end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
