-- SPDX-License-Identifier: Apache-2.0
-- takes the counter away
-- fails: call
-- error: escape-debug.lua:8: ... global 'debug'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do debug.sethook() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
