-- SPDX-License-Identifier: Apache-2.0
-- runs when a variable goes
-- fails: call
-- error: finalizer-on-leaving.lua:8: ... got a non-closable value

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local x <close> = {} end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
