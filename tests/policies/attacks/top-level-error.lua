-- SPDX-License-Identifier: Apache-2.0
-- raises before it is asked anything
-- fails: new
-- error: top-level-error.lua:6: ... not today

error("not today")
