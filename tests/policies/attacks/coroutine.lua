-- SPDX-License-Identifier: Apache-2.0
-- runs where no one counts
-- fails: call
-- error: coroutine.lua:8: ... global 'coroutine'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do coroutine.wrap(function() while true do end end)() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
