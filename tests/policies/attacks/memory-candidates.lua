-- SPDX-License-Identifier: Apache-2.0
-- takes a candidate out of the list
-- fails: call
-- error: memory-candidates.lua:8: ... the list of candidates can only be read

function place(w, candidates, ctx)
  if w.name == "attack" then
    do table.remove(candidates, 1) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
