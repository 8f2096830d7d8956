-- SPDX-License-Identifier: Apache-2.0
-- compiles a text
-- fails: call
-- error: escape-load.lua:8: ... global 'load'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do load("return 1") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
