-- SPDX-License-Identifier: Apache-2.0
-- writes bytecode
-- fails: call
-- error: escape-dump.lua:8: ... field 'dump'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do string.dump(place) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
