-- SPDX-License-Identifier: Apache-2.0
-- writes past what guards a table
-- fails: call
-- error: escape-rawset.lua:8: ... global 'rawset'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do rawset(w, "name", "x") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
