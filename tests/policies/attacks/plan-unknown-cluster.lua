-- SPDX-License-Identifier: Apache-2.0
-- names a cluster that does not exist
-- fails: call
-- error: plan-unknown-cluster.lua:6: ... step 1, candidate 1: found a string

function place(w, candidates, ctx)
  if w.name == "attack" then
    do return { { candidates = { "moon/h100" }, patience = 60 } } end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
