-- SPDX-License-Identifier: Apache-2.0
-- data-local.lua - near its data: what it costs to bring the data there counts as well as the hours
--
-- For jobs with spillway.dev/data that read a lot. The score is the price of HOURS hours plus the price of bringing the
-- data once. Where it is not known what bringing costs, a place comes after all where it is.

local HOURS = 8               -- how long a job is taken to run, where its label spillway.dev/hours does not say
local POOL = minutes(15)
local LAST = hours(2)
local STEPS = 10

-- Seconds until it is worth asking again, within reason.
local function sold_out(c) return math.min(c.stockout, hours(24)) end

local function hours_of(w)
  local said = tonumber(w.labels["spillway.dev/hours"] or "")
  return said and said > 0 and said or HOURS
end

-- USD for the whole run, nil if it cannot be known. What we own and has no price costs its egress alone.
local function run_cost(w, c, run)
  local price = c.price or (not c.growable and 0) or nil
  local egress = c.egress or (not w.data and 0) or nil
  return price and egress and price * run + egress
end

local function allowed(w, c)
  if c.growable then return affordable(w, c) and spot_allowed(w, c) and can_grow(c) end
  return not w.max_price or not c.price or c.price <= w.max_price
end

function place(w, candidates, ctx)
  local run = hours_of(w)
  local list = filter(candidates, function(c) return allowed(w, c) end)
  list = sort_by(list, "rank", function(c) return c.stockout > 0 and not c.fits and 1 or 0 end,
                 function(c) return run_cost(w, c, run) end, "fits", "price", "queue_depth")
  local plan = map(first(list, STEPS), function(c) return { candidates = { c }, patience = POOL + sold_out(c) } end)
  if #plan == 0 then return plan end
  plan[#plan].patience = LAST
  local best = list[1]
  local cost = run_cost(w, best, run)
  if not w.data then
    plan.reason = "it names no data: by price alone, " .. place_name(best)
  elseif not cost then
    plan.reason = "what its data would cost to bring is not known anywhere; " .. place_name(best) .. " first"
  else
    plan.reason = dollars(cost) .. " for " .. run .. " hours on " .. place_name(best) .. ", " .. dollars(best.egress) .. " of it for its data"
  end
  return plan
end
