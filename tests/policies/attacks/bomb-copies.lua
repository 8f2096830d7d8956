-- SPDX-License-Identifier: Apache-2.0
-- copies the list of candidates for ever
-- fails: call
-- error: bomb-copies.lua:8: ... 

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local t = {} while true do t[#t + 1] = map(candidates, function(c) return c end) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
