-- SPDX-License-Identifier: Apache-2.0
-- repeats a text in one call
-- fails: call
-- error: bomb-string-rep.lua:8: ... attempt to call a nil value (method 'rep')

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return ("x"):rep(1e9) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
