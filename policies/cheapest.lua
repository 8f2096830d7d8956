-- SPDX-License-Identifier: Apache-2.0
-- cheapest.lua - the least money per hour, however long it takes
--
-- For work that can wait: nightly runs, sweeps, backfills. What we own is paid for already and counts as free where it
-- has no price. The GPU asked for first does not come first here: any that the job accepts will do, if it costs less.

local OWN = hours(2)       -- patience with what we own, before the next cheapest is bought
local POOL = minutes(20)   -- patience with one growing pool
local LAST = hours(6)
local STEPS = 8

-- Seconds until it is worth asking again, within reason.
local function sold_out(c) return math.min(c.stockout, hours(24)) end

local function cost(c) return c.price or (not c.growable and 0) or nil end

local function allowed(w, c)
  if c.growable then return affordable(w, c) and spot_allowed(w, c) and can_grow(c) end
  return not w.max_price or cost(c) <= w.max_price
end

function place(w, candidates, ctx)
  local list = filter(candidates, function(c) return allowed(w, c) end)
  list = sort_by(list, cost, "stockout", "nodes_needed", "queue_depth", "rank")
  local plan = map(first(list, STEPS), function(c)
    return { candidates = { c }, patience = c.growable and POOL + sold_out(c) or OWN }
  end)
  if #plan > 0 then
    plan[#plan].patience = LAST
    plan.reason = "the cheapest place it may use: " .. place_name(list[1]) .. ", " .. dollars(cost(list[1])) .. " per hour"
  end
  return plan
end
