-- SPDX-License-Identifier: Apache-2.0
-- defines nothing
-- fails: new
-- error: top-level-nothing.lua: ... no function place(w, candidates, ctx) is defined, and no rank

local x = 1
