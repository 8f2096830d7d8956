-- SPDX-License-Identifier: Apache-2.0
-- divides by zero
-- fails: call
-- error: division-by-zero.lua:8: ... attempt to divide by zero

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return 1 // 0 end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
