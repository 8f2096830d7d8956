-- SPDX-License-Identifier: Apache-2.0
-- fair-spend.lua - a queue's budget, paced over its window: no team spends its month in the first week
--
-- For queues that share a burst budget (setting `budgets:`). What we own costs nothing of it. A cloud pool is used while
-- the queue has spent no more than its pace allows: as much of its budget as of its window is over, plus a head start, so
-- that a window may begin with a burst. Behind the pace jobs wait for our own hardware until the clock has caught up.
-- A queue without a budget is not held back.

local HEAD_START = 0.1        -- of the budget, from the first minute
local NOW = minutes(2)
local POOL = minutes(15)
local LAST = minutes(30)      -- then pace and prices are looked at again
local POOLS = 8

-- Seconds until it is worth asking again, within reason.
local function sold_out(c) return math.min(c.stockout, hours(24)) end

-- USD that the queue may have spent by now.
local function pace(b)
  return math.min(b.limit, b.limit * (HEAD_START + b.elapsed / b.window))
end

-- May this pool be used for an hour without leaving the pace? What is not known is not spent.
local function within_pace(w, c)
  local b = w.budget
  if not b then return true end
  return b.spent ~= nil and b.spent + c.price <= pace(b)
end

local function catch_up(b, price)
  local share = (b.spent + price) / b.limit - HEAD_START
  return share * b.window - b.elapsed
end

function place(w, candidates, ctx)
  local own = sort_by(filter(candidates, function(c)
    return not c.growable and (not w.max_price or not c.price or c.price <= w.max_price)
  end), "fits", "rank", "queue_depth", "expected_start")
  local cloud = sort_by(filter(candidates, function(c)
    return c.growable and affordable(w, c) and spot_allowed(w, c) and can_grow(c)
  end), "stockout", "rank", "price", "nodes_needed")
  local fits = filter(own, "fits")
  local paced = filter(cloud, function(c) return within_pace(w, c) end)
  local plan = {}
  if #fits > 0 then plan[1] = { candidates = first(fits, 16), patience = NOW, reason = "our own hardware has room" } end
  for _, c in ipairs(first(paced, POOLS)) do
    plan[#plan + 1] = { candidates = { c }, patience = POOL + sold_out(c) }
  end
  if #own > 0 then plan[#plan + 1] = { candidates = first(own, 16), patience = LAST, reason = "waits for our own hardware" } end
  if #fits == 0 and #paced == 0 and #cloud > 0 then
    local b = w.budget
    if b.spent == nil then
      plan.reason = "what queue " .. w.queue .. " has spent is not known: nothing is bought"
    elseif b.spent + cheapest(cloud).price > b.limit then
      plan.reason = "queue " .. w.queue .. " has spent " .. dollars(b.spent) .. " of " .. dollars(b.limit) .. ": nothing more is bought in this window"
    else
      local wait = math.ceil(catch_up(b, cheapest(cloud).price) / 60)
      plan.reason = "queue " .. w.queue .. " is ahead of its budget's pace (" .. dollars(b.spent) .. " of " .. dollars(pace(b)) ..
        "); in " .. wait .. " minutes it may buy again"
    end
  elseif #paced > 0 and #fits == 0 then
    plan.reason = "within the budget of queue " .. w.queue .. ": " .. place_name(paced[1]) .. ", " .. dollars(paced[1].price) .. " per hour"
  end
  return plan
end
