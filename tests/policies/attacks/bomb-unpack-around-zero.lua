-- SPDX-License-Identifier: Apache-2.0
-- counts values past the largest number
-- fails: call
-- error: bomb-unpack-around-zero.lua:8: ... table.unpack: more than 1024 values

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return table.unpack({}, math.tointeger(-2 ^ 63), math.tointeger(2 ^ 53)) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
