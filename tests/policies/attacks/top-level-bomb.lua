-- SPDX-License-Identifier: Apache-2.0
-- fills memory before it is asked anything
-- fails: new
-- error: top-level-bomb.lua:6: ... needs more memory than a policy may use

local t = {} while true do t = { t } end
