-- SPDX-License-Identifier: Apache-2.0
-- reads a file
-- fails: call
-- error: escape-io.lua:8: ... global 'io'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do io.open("/etc/passwd") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
