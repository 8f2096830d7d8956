-- SPDX-License-Identifier: Apache-2.0
-- reads a long text as a number, for ever
-- fails: call
-- error: endless-numbers.lua:8: ... used up its instructions

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local s = "1" for i = 1, 12 do s = s .. s end while true do tonumber(s, 10) end end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
