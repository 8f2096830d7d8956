-- SPDX-License-Identifier: Apache-2.0
-- raises what throws when it is printed
-- fails: call
-- error: error-object-that-throws.lua:8: ... not a string but a table

function place(w, candidates, ctx)
  if w.name == "attack" then
    do error({ __tostring = function() error("again") end, __name = {} }) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
