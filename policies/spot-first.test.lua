-- SPDX-License-Identifier: Apache-2.0
local function pool(name, spot, price, more)
  local c = { pool = name, growable = true, nodes_needed = 1, price = price, spot = spot, expected_start = 600 }
  for k, v in pairs(more or {}) do c[k] = v end
  return c
end
local both = { pool("firm", false, 30), pool("spot", true, 9), pool("spot2", true, 8) }
local taken = { cluster = "c", pool = "spot", outcome = "preempted", spot = true }

return {
  { name = "spot comes first, the cheapest of it", workload = { gpus = 8, spot = "allow" }, candidates = both, expect = "spot2 > spot > firm" },
  { name = "no spot for a job that does not allow it", workload = { gpus = 8, spot = "never" }, candidates = both, expect = "firm" },
  { name = "only spot for a job that requires it", workload = { gpus = 8, spot = "require" }, candidates = both, expect = "spot2 > spot" },
  { name = "our own hardware comes first where it fits", workload = { gpus = 8, spot = "allow" },
    candidates = { pool("spot", true, 9), { pool = "own" } }, expect = "own > spot > own" },
  { name = "with a deadline spot is left before a firm pool would be late", -- 3600 - 600 * 1.5 = 2700 seconds for spot
    workload = { gpus = 8, spot = "allow", deadline = 3600 }, candidates = both,
    expect = { { candidates = "spot2", patience = 1800 }, { candidates = "spot", patience = 900 }, { candidates = "firm" } } },
  { name = "time that was waited counts", workload = { gpus = 8, spot = "allow", deadline = 3600, waited = 2000 }, candidates = both,
    expect = { { candidates = "spot2", patience = 700 }, "firm" } },
  { name = "too late for spot", workload = { gpus = 8, spot = "allow", deadline = 3600, waited = 3000 }, candidates = both,
    expect = "firm", expect_reason = "too late for spot: its deadline is near" },
  { name = "once preempted, spot is tried again", workload = { gpus = 8, spot = "allow", attempt = 2, attempts = { taken } },
    candidates = both, expect = "spot2 > spot > firm" },
  { name = "twice preempted is enough", workload = { gpus = 8, spot = "allow", attempt = 3, attempts = { taken, taken } },
    candidates = both, expect = "firm", expect_reason = "preempted 2 times: no more spot" },
  { name = "a job that requires spot keeps to it", workload = { gpus = 8, spot = "require", attempt = 3, attempts = { taken, taken } },
    candidates = both, expect = "spot2 > spot" },
  { name = "what is sold out comes later", workload = { gpus = 8, spot = "allow" },
    candidates = { pool("out", true, 1, { stockout = 600 }), pool("in", true, 9) }, expect = "in > out" },
}
