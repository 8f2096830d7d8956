-- SPDX-License-Identifier: Apache-2.0
-- consolidate.lua - fills one pool before it opens another
--
-- For sites whose bought nodes are half empty: many small jobs, whole machines. Our own hardware first. Then the pool with
-- the least room that still holds the job, so that others run empty and are given back; then a pool that has nodes already;
-- a pool without any is opened last, the cheapest first. Nodes that this leaves idle may go early.

local NOW = minutes(3)
local POOL = minutes(15)
local LAST = hours(1)
local STEPS = 8

-- Seconds until it is worth asking again, within reason.
local function sold_out(c) return math.min(c.stockout, hours(24)) end

local function allowed(w, c)
  if c.growable then return affordable(w, c) and spot_allowed(w, c) and can_grow(c) end
  return not w.max_price or not c.price or c.price <= w.max_price
end

local function class(c)
  if c.fits then return c.growable and 2 or 1 end
  if c.growable then return c.nodes > 0 and 3 or 4 end
  return 5
end

function place(w, candidates, ctx)
  local list = sort_by(filter(candidates, function(c) return allowed(w, c) end), class, "rank", "stockout",
                       function(c) return c.fits and c.free or nil end, "price", "nodes_needed")
  local plan = map(first(list, STEPS), function(c)
    return { candidates = { c }, patience = (c.fits and NOW or c.growable and POOL or LAST) + sold_out(c) }
  end)
  if #plan == 0 then return plan end
  local best = list[1]
  local words = { "our own hardware has room: ", "fills what is bought already: ", "one more node where there are some: ",
                  "opens a new pool, all others are full: ", "waits for our own hardware: " }
  plan.reason = words[class(best)] .. place_name(best)
  return plan
end

-- An empty node of a pool that has others is not needed for long.
function release(pool, node, ctx)
  if pool.nodes > 1 then return node.release_after / 2, "the pool has other nodes" end
  return node.release_after
end
