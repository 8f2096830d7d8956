-- SPDX-License-Identifier: Apache-2.0
-- counts from zero
-- fails: call
-- error: plan-index-zero.lua:6: ... found 0.0, expected an index from 1

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { 0 }, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
