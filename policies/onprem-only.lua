-- SPDX-License-Identifier: Apache-2.0
-- onprem-only.lua - only hardware that we own; nothing is ever bought
--
-- For queues whose data may not leave the house, or whose budget is spent. A job that fits nowhere here waits, and
-- `spillway explain` says what it waits for.

local NOW = minutes(5)
local WAIT = hours(12)

function place(w, candidates, ctx)
  local own = filter(candidates, function(c)
    return not c.growable and (not w.max_price or not c.price or c.price <= w.max_price)
  end)
  -- a job without GPUs leaves nodes with GPUs to others where it can
  local wasteful = function(c) return w.gpus == 0 and c.model ~= "" and 1 or 0 end
  local order = sort_by(own, wasteful, "fits", "rank", "queue_depth", "expected_start")
  local now = filter(order, "fits")
  local plan = {}
  if #now > 0 then plan[1] = { candidates = first(now, 16), patience = NOW } end
  if #order > 0 then plan[#plan + 1] = { candidates = first(order, 32), patience = WAIT } end
  plan.reason = #now > 0 and "fits on our own hardware" or #own > 0 and "waits for our own hardware; nothing is bought"
    or "only our own hardware may be used, and none of it will do"
  return plan
end
