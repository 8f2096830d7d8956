-- SPDX-License-Identifier: Apache-2.0
-- loads a library
-- fails: call
-- error: escape-require.lua:8: ... global 'require'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do require("os") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
