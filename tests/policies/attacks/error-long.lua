-- SPDX-License-Identifier: Apache-2.0
-- raises eight kilobytes
-- fails: call
-- error: error-long.lua:8: ... long long long

function place(w, candidates, ctx)
  if w.name == "attack" then
    do local s = "long " for i = 1, 10 do s = s .. s end error(s) end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
