-- SPDX-License-Identifier: Apache-2.0
-- never says whether
-- fails: call
-- error: admit-loop.lua:7: ... used up its instructions

function admit(w, ctx)
  while w.name == "attack" do end
  return true
end

function place(w, candidates, ctx)
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
