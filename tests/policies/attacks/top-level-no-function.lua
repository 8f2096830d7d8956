-- SPDX-License-Identifier: Apache-2.0
-- defines something else
-- fails: new
-- error: top-level-no-function.lua: ... place is a table, expected a function

place = { 1 }
