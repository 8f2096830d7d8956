-- SPDX-License-Identifier: Apache-2.0
-- loads a library by its table
-- fails: call
-- error: escape-package.lua:8: ... global 'package'

function place(w, candidates, ctx)
  if w.name == "attack" then
    do package.loaded.os.exit() end
  end
  return { { candidates = { candidates[1] }, patience = 60 }, reason = "fine" }
end
