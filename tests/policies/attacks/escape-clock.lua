-- SPDX-License-Identifier: Apache-2.0
-- reads a clock
-- fails: call
-- error: escape-clock.lua:8: ... global 'os'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return os.clock() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
