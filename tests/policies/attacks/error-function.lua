-- SPDX-License-Identifier: Apache-2.0
-- raises a function that throws
-- fails: call
-- error: error-function.lua:8: ... not a string but a function

function place(w, candidates, ctx)
  if w.name == "attack" then
    do error(function() error("x") end) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
