-- SPDX-License-Identifier: Apache-2.0
-- looks for more behind its globals
-- fails: call
-- error: escape-environment.lua:8: ... global 'load'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return _ENV.load("x") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
