-- SPDX-License-Identifier: Apache-2.0
-- keeps something in the library
-- fails: call
-- error: memory-library.lua:8: ... math can only be read

function place(w, candidates, ctx)
  if w.name == "attack" then
    do math.kept = 1 end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
