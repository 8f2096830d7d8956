-- SPDX-License-Identifier: Apache-2.0
-- fills memory with small tables
-- fails: call
-- error: bomb-tables.lua:8: ... needs more memory than a policy may use

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local t = {} while true do t = { t } end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
