-- SPDX-License-Identifier: Apache-2.0
-- looks behind the list
-- fails: call
-- error: metatable-of-list.lua:8: ... the list of candidates can only be read

function place(w, candidates, ctx)
  if w.name == "attack" then
    do candidates.__newindex = 1 end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
