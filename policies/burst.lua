-- SPDX-License-Identifier: Apache-2.0
-- burst.lua - the default policy: our own hardware while it can start soon, then the cheapest cloud pool
--
--   1. On-prem that fits now, or is expected to start within WAIT_FOR_ON_PREM. Where it fits now, the best place is asked
--      alone for a moment: offers to clusters that need not be asked cost requests on each of them.
--   2. Cloud pools whose price is known: the preferred GPU first, then the cheapest, one step each, so that a pool
--      which does not deliver is left for the next. Spot pools are cheaper and come first where the job allows spot.
--   3. Pools that are stocked out, when nothing else is left.
--   4. Everything on-prem, for as long as it takes.
--
-- A job with a deadline does not wait past it for hardware that we own, and pools that start in time come first.
-- Nobody buys at an unknown price or above the job's max-price: those pools are not candidates here.

local WAIT_FOR_ON_PREM = 600  -- seconds that a job may wait for hardware we own before money is spent
local ASKED_ALONE = 20        -- patience with one cluster that says it fits
local FITS_NOW = 120          -- patience where the whole job fits at this moment
local PER_POOL = 900          -- patience with one growing pool: nodes with GPUs take minutes
local LAST = 3600             -- patience of the last step; then everything is looked at again
local POOLS = 6               -- cloud pools tried one after the other

-- Seconds until the job should have started. Only asked of jobs that have a deadline: others are decided alike.
local function slack(w)
  if not w.deadline then return math.huge end
  return math.max(w.deadline - w.waited, 0)
end

-- Of our own: what can start soonest. A job without GPUs leaves nodes with GPUs to others where it can.
local function by_start(w, list)
  local function thrifty(c) return w.gpus > 0 or c.model == "" end
  return sort_by(list, thrifty, "rank", "fits", "queue_depth", "expected_start")
end

-- Of clouds: those in time, the GPU asked for first, then the cheapest.
local function by_price(time, list)
  local function in_time(c) return c.fits or not c.expected_start or c.expected_start <= time end
  return sort_by(list, in_time, "rank", "price", "fits", "nodes_needed")
end

local function sort_out(w, candidates)
  local soon, owned, cloud, sold_out = {}, {}, {}, {}
  local time = slack(w)
  for _, c in ipairs(candidates) do
    if not c.growable then
      if not c.price or affordable(w, c) then
        owned[#owned + 1] = c
        if c.fits or (c.expected_start and c.expected_start <= math.min(WAIT_FOR_ON_PREM, time)) then soon[#soon + 1] = c end
      end
    elseif affordable(w, c) and spot_allowed(w, c) and can_grow(c) then
      local list = (c.stockout > 0 and not c.fits) and sold_out or cloud
      list[#list + 1] = c
    end
  end
  return by_start(w, soon), by_start(w, owned), by_price(time, cloud), sort_by(sold_out, "stockout")
end

local function on_prem_patience(w, soon, cloud)
  local wait = FITS_NOW
  for _, c in ipairs(soon) do
    if c.fits then return FITS_NOW end
    wait = math.max(wait, c.expected_start * 1.5)
  end
  local start = #cloud > 0 and cloud[1].expected_start or 0 -- what a pool would still take
  return math.max(math.min(wait, WAIT_FOR_ON_PREM, slack(w) - start), FITS_NOW)
end

function place(w, candidates, ctx)
  local soon, owned, cloud, sold_out = sort_out(w, candidates)
  local plan = {}

  if #soon > 1 and soon[1].fits then
    plan[1] = { candidates = { soon[1] }, patience = ASKED_ALONE }
  end
  if #soon > 0 then
    plan[#plan + 1] = { candidates = first(soon, 16), patience = on_prem_patience(w, soon, cloud) }
    plan.reason = "our own hardware can start it soon"
  end
  for i = 1, math.min(#cloud, POOLS) do
    plan[#plan + 1] = { candidates = { cloud[i] }, patience = PER_POOL }
  end
  if #soon == 0 and #cloud > 0 then
    plan.reason = "cheapest pool with the GPU asked for: " .. place_name(cloud[1]) .. ", " .. dollars(cloud[1].price) .. " per hour"
  end
  if #cloud == 0 and #sold_out > 0 then
    local wait = math.max(PER_POOL, sold_out[1].stockout + PER_POOL)
    plan[#plan + 1] = { candidates = first(sold_out, 16), patience = math.min(wait, 24 * 3600) }
    if #soon == 0 then plan.reason = "every cloud pool is sold out; the first to have nodes again takes it" end
  end
  if #owned > #soon or #plan == 0 then
    if #owned > 0 then
      plan[#plan + 1] = { candidates = first(owned, 16), patience = LAST }
      plan.reason = plan.reason or "waits for our own hardware"
    end
  end
  return plan
end
