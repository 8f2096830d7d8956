-- SPDX-License-Identifier: Apache-2.0
-- soonest.lua - where it starts first, within the job's own max-price
--
-- For people who wait at the screen: notebooks, debugging, demonstrations. Places where it starts at once share the first
-- step, the cheapest first; then what can be had, in the order of its expected start.

local AT_ONCE = minutes(2)
local POOL = minutes(10)
local LAST = hours(1)
local STEPS = 10

-- Seconds until it is worth asking again, within reason.
local function sold_out(c) return math.min(c.stockout, hours(24)) end

local function allowed(w, c)
  if c.growable then return affordable(w, c) and spot_allowed(w, c) and can_grow(c) end
  return not w.max_price or not c.price or c.price <= w.max_price
end

-- A pool that has nothing to sell starts when it sells again, at best.
local function start(c)
  if c.fits then return 0 end
  return c.expected_start and c.expected_start + c.stockout
end

function place(w, candidates, ctx)
  local list = filter(candidates, function(c) return allowed(w, c) end)
  local now = sort_by(filter(list, "fits"), "rank", "price")
  local later = sort_by(filter(list, function(c) return not c.fits end), start, "queue_depth", "rank", "price")
  local plan = {}
  if #now > 0 then plan[1] = { candidates = first(now, 16), patience = AT_ONCE, reason = "starts at once" } end
  for _, c in ipairs(first(later, STEPS)) do
    plan[#plan + 1] = { candidates = { c }, patience = POOL + sold_out(c) }
  end
  if #plan > 0 then
    plan[#plan].patience = LAST
    plan.reason = #now > 0 and "starts at once on " .. place_name(now[1]) or "starts first on " .. place_name(later[1])
  end
  return plan
end
