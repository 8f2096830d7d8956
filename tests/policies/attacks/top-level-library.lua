-- SPDX-License-Identifier: Apache-2.0
-- replaces a function of the library
-- fails: new
-- error: top-level-library.lua:6: ... string can only be read

string.find = function() end

function place() return {} end
