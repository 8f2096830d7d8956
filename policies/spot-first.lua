-- SPDX-License-Identifier: Apache-2.0
-- spot-first.lua - spot nodes while there is time, firm ones before the deadline
--
-- For work that restarts well: trainings with checkpoints, sweeps. Our own hardware comes first where it fits. Then spot
-- pools, the cheapest first, for as long as a firm pool could still start before the deadline; then firm ones. After two
-- preemptions a job has had enough of spot.

local FIRM_START = minutes(15) -- what a firm pool takes to start, where it does not say
local MARGIN = 1.5             -- and how much of that is kept in hand
local NOW = minutes(2)
local SPOT = minutes(30)       -- patience with one spot pool
local FIRM = minutes(20)
local PREEMPTIONS = 2

-- Seconds until it is worth asking again, within reason.
local function sold_out(c) return math.min(c.stockout, hours(24)) end

local function preempted(w)
  return #filter(w.attempts, function(a) return a.spot and a.outcome == "preempted" end)
end

-- Seconds that may still be spent on waiting for spot.
local function time_for_spot(w, firm)
  if not w.deadline then return math.huge end
  local soon = soonest(firm)
  local start = soon and soon.expected_start or FIRM_START
  return w.deadline - w.waited - start * MARGIN
end

local function add(plan, list, patience, time, reason)
  for _, c in ipairs(list) do
    local wait = math.min(patience + sold_out(c), time)
    if wait < 1 or #plan == 14 then break end
    plan[#plan + 1] = { candidates = { c }, patience = wait, reason = reason }
    time = time - wait
  end
end

function place(w, candidates, ctx)
  local usable = filter(candidates, function(c)
    if c.growable then return affordable(w, c) and spot_allowed(w, c) and can_grow(c) end
    return not w.max_price or not c.price or c.price <= w.max_price
  end)
  local own = sort_by(filter(usable, function(c) return not c.growable end), "fits", "rank", "queue_depth")
  local spot = sort_by(filter(usable, function(c) return c.growable and c.spot end), "stockout", "rank", "price", "nodes_needed")
  local firm = sort_by(filter(usable, function(c) return c.growable and not c.spot end), "stockout", "rank", "price", "nodes_needed")
  local fits = filter(own, "fits")
  local plan = {}
  local time = time_for_spot(w, firm)
  local enough = preempted(w) >= PREEMPTIONS and w.spot ~= "require"
  if #fits > 0 then plan[1] = { candidates = first(fits, 16), patience = NOW, reason = "our own hardware has room" } end
  if not enough then add(plan, spot, SPOT, time, "spot, while there is time") end
  add(plan, firm, FIRM, math.huge, "firm nodes")
  if #own > 0 then plan[#plan + 1] = { candidates = first(own, 16), patience = hours(2), reason = "whatever we own" } end
  if enough then
    plan.reason = "preempted " .. preempted(w) .. " times: no more spot"
  elseif #fits == 0 and #spot > 0 and time < 1 then
    plan.reason = "too late for spot: its deadline is near"
  end
  return plan
end

-- One preemption costs a restart; the plan is made anew, so that time and preemptions count.
function evicted(w, attempt, ctx)
  return "plan", attempt.spot and "its spot nodes were taken away" or nil
end
