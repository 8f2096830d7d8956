-- SPDX-License-Identifier: Apache-2.0
-- puts a million values on the stack
-- fails: call
-- error: bomb-unpack.lua:8: ... table.unpack: more than 1024 values

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return table.unpack({}, 1, 1e6) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
