-- SPDX-License-Identifier: Apache-2.0
-- searches a long text, for ever
-- fails: call
-- error: endless-searching.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local s = "a" for i = 1, 12 do s = s .. s end while true do contains(s, "b") end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
