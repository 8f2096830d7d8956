-- SPDX-License-Identifier: Apache-2.0
-- writes to the terminal of who reads the message
-- fails: call
-- error: error-terminal.lua:8: ... [2J  

function place(w, candidates, ctx)
  if w.name == "attack" then
    do error("\27[2J\r\n\0red") end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
