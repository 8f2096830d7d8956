-- SPDX-License-Identifier: Apache-2.0
-- says that another file failed
-- fails: call
-- error: - ... it was me

function place(w, candidates, ctx)
  if w.name == "attack" then
    do error("innocent.lua:1: it was me", 0) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
