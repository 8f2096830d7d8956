-- SPDX-License-Identifier: Apache-2.0
-- the same by gsub
-- fails: call
-- error: pattern-gsub.lua:8: ... attempt to call a nil value (field 'gsub')

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return string.gsub("a", "(a*)*b", "") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
