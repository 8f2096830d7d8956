-- SPDX-License-Identifier: Apache-2.0
local week = 7 * 86400
local function job(spent, elapsed, more)
  local w = { gpus = 8, queue = "team", budget = { limit = 1000, spent = spent, window = week, elapsed = elapsed } }
  for k, v in pairs(more or {}) do w[k] = v end
  return w
end
local cloud = { pool = "cloud", growable = true, nodes_needed = 1, price = 50 }
local dear = { pool = "dear", growable = true, nodes_needed = 1, price = 90 }
local busy = { pool = "own", nodes_needed = 1 }

return {
  { name = "the window may begin with a burst", workload = job(0, 0), candidates = { cloud }, expect = "cloud",
    expect_reason = "within the budget of queue team: c/cloud, $50.00 per hour" },
  { name = "half way through, half may be spent and the head start", workload = job(540, week / 2), candidates = { cloud, dear }, expect = "cloud" },
  { name = "ahead of its pace a queue waits for our own hardware", workload = job(640, week / 2), candidates = { cloud, busy }, expect = "own",
    expect_reason = "queue team is ahead of its budget's pace ($640.00 of $600.00); in 908 minutes it may buy again" },
  { name = "and buys again when the clock has caught up", workload = job(640, week * 0.6), candidates = { cloud, busy }, expect = "cloud > own" },
  { name = "a budget that is spent is spent", workload = job(990, week * 0.99), candidates = { cloud }, expect = "",
    expect_reason = "queue team has spent $990.00 of $1000.00: nothing more is bought in this window" },
  { name = "what is not known is not spent", workload = job(nil, week / 2), candidates = { cloud }, expect = "",
    expect_reason = "what queue team has spent is not known: nothing is bought" },
  { name = "our own hardware costs nothing of it", workload = job(5000, 0), candidates = { cloud, { pool = "own" } }, expect = "own > own" },
  { name = "a queue without a budget is not held back", workload = { gpus = 8 }, candidates = { dear, cloud }, expect = "cloud > dear" },
  { name = "max-price and spot hold all the same", workload = job(0, 0, { max_price = 60, spot = "never" }),
    candidates = { dear, cloud, { pool = "s", growable = true, nodes_needed = 1, price = 5, spot = true } }, expect = "cloud" },
}
