-- SPDX-License-Identifier: Apache-2.0
-- stops the collection
-- fails: call
-- error: escape-collectgarbage.lua:8: ... global 'collectgarbage'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do collectgarbage("stop") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
