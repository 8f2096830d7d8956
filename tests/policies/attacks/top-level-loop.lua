-- SPDX-License-Identifier: Apache-2.0
-- never comes to the end of its file
-- fails: new
-- error: top-level-loop.lua:6: ... used up its instructions

while true do end

function place() return {} end
