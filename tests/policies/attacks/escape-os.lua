-- SPDX-License-Identifier: Apache-2.0
-- leaves
-- fails: call
-- error: escape-os.lua:8: ... global 'os'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do os.exit() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
