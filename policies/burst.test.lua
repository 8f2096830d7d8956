-- SPDX-License-Identifier: Apache-2.0
-- Tests of burst.lua. Each test_* function runs from a fresh start in the policy's sandbox.

local function job(changes)
  local w = { key = "ns/w", name = "w", namespace = "ns", queue = "q", kind = "Job", priority = 0, waited = 0, attempt = 1,
              pods = 1, gpus = 1, models = { "H100" }, spot = "never" }
  for k, v in pairs(changes or {}) do w[k] = v end
  return w
end

local function pool(name, changes)
  local c = { cluster = "c", pool = name, provider = "sim", region = "r", zone = "z", model = "H100", rank = 1, free = 0, total = 8,
              nodes_needed = 1, queue_depth = 0, spot = false, growable = true, stockout = 0, price = 10, price_age = 60 }
  for k, v in pairs(changes or {}) do c[k] = v end
  c.fits = c.nodes_needed == 0
  return c
end

local function owned(name, changes)
  local c = pool(name, changes)
  c.growable = false
  if not (changes and changes.price) then c.price = nil end
  return c
end

-- "a b > c": steps from left to right, candidates of a step from best to worst
local function shape(plan)
  local steps = {}
  for i, s in ipairs(plan) do
    local names = {}
    for k, c in ipairs(s.candidates) do names[k] = c.pool end
    steps[i] = table.concat(names, " ")
    assert(s.patience >= 1, "patience")
  end
  return table.concat(steps, " > ")
end

local function expect(w, candidates, want)
  local got = shape(place(w, candidates, { now = 0 }))
  assert(got == want, "found \"" .. got .. "\", expected \"" .. want .. "\"")
end

function test_on_prem_comes_first_when_it_fits()
  expect(job(), { pool("cloud"), owned("iron", { nodes_needed = 0 }) }, "iron > cloud")
end

function test_of_several_that_fit_one_is_asked_alone_first()
  local fits = { nodes_needed = 0 }
  expect(job(), { owned("a", fits), owned("b", fits), pool("cloud") }, "a > a b > cloud")
  expect(job(), { owned("a", { nodes_needed = 0, queue_depth = 3 }), owned("b", fits) }, "b > b a")
  expect(job(), { owned("a", { expected_start = 60 }), owned("b", { expected_start = 90 }) }, "a b")
end

function test_on_prem_that_starts_soon_comes_first()
  expect(job(), { pool("cloud"), owned("iron", { expected_start = 300 }) }, "iron > cloud")
end

function test_on_prem_with_a_long_queue_comes_last()
  expect(job(), { pool("cloud"), owned("iron", { expected_start = 7200 }) }, "cloud > iron")
  expect(job(), { pool("cloud"), owned("iron") }, "cloud > iron")
end

function test_the_cheapest_pool_is_tried_first()
  expect(job(), { pool("a", { price = 12 }), pool("b", { price = 9 }), pool("c", { price = 10 }) }, "b > c > a")
end

function test_a_preferred_gpu_wins_over_a_cheaper_one()
  expect(job({ models = { "H100", "A100-80GB" } }), { pool("a100", { model = "A100-80GB", rank = 2, price = 3 }), pool("h100") }, "h100 > a100")
end

function test_an_unknown_price_never_wins()
  local c = pool("mystery")
  c.price = nil
  expect(job(), { c, pool("known") }, "known")
  expect(job(), { c }, "")
end

function test_max_price_is_respected()
  expect(job({ max_price = 9.5 }), { pool("dear", { price = 9.51 }), pool("cheap", { price = 9.5 }) }, "cheap")
  expect(job({ max_price = 1 }), { pool("dear") }, "")
end

function test_spot_only_where_the_job_allows_it()
  local pools = { pool("spot", { spot = true, price = 3 }), pool("firm") }
  expect(job({ spot = "never" }), pools, "firm")
  expect(job({ spot = "allow" }), pools, "spot > firm")
  expect(job({ spot = "require" }), pools, "spot")
end

function test_a_sold_out_pool_is_skipped_while_others_sell()
  expect(job(), { pool("out", { stockout = 300, price = 1 }), pool("in") }, "in")
end

function test_sold_out_pools_are_waited_for_when_nothing_else_is_left()
  expect(job(), { pool("later", { stockout = 900 }), pool("sooner", { stockout = 300 }) }, "sooner later")
end

function test_a_sold_out_pool_with_free_nodes_is_used()
  expect(job(), { pool("warm", { stockout = 300, nodes_needed = 0 }) }, "warm")
end

function test_a_pool_without_quota_is_left_out()
  expect(job(), { pool("full", { nodes_needed = 3, quota_left = 2, price = 1 }), pool("free", { nodes_needed = 3, quota_left = 3 }) }, "free")
end

function test_a_job_without_gpus_leaves_gpu_nodes_to_others()
  local w = job({ gpus = 0, models = {} })
  expect(w, { owned("v100", { nodes_needed = 0 }), owned("cpu", { nodes_needed = 0, model = "", queue_depth = 9 }) }, "cpu > cpu v100")
end

function test_nothing_to_choose_from_means_not_now()
  expect(job(), {}, "")
end

function test_many_pools_stay_within_the_plans_limits()
  local many = {}
  for i = 1, 60 do
    many[i] = pool("p" .. i, { price = i })
    many[60 + i] = owned("o" .. i, { nodes_needed = i % 2 })
  end
  local plan = place(job(), many, { now = 0 })
  assert(#plan <= 16)
  for _, s in ipairs(plan) do assert(#s.candidates <= 32) end
end

function test_the_reason_names_pool_and_price()
  local plan = place(job(), { pool("a") }, { now = 0 })
  assert(plan.reason == "cheapest pool with the GPU asked for: c/a, $10.00 per hour", plan.reason)
end

-- Cases go the way of real questions, so the policy sees its inputs as it does in production.
local hour = 3600
local a100 = { pool = "a100", growable = true, nodes_needed = 1, price = 30, model = "A100-80GB", expected_start = 120 }
local h100 = { pool = "h100", growable = true, nodes_needed = 1, price = 90, model = "H100", expected_start = 1800 }
local own = { pool = "iron", nodes_needed = 1, model = "H100", expected_start = 500 }
local wants = { gpus = 8, models = { "H100", "A100-80GB" } }
local function with(more)
  local w = {}
  for k, v in pairs(wants) do w[k] = v end
  for k, v in pairs(more) do w[k] = v end
  return w
end

return {
  { name = "without a deadline the preferred GPU comes first, however long it takes", workload = wants,
    candidates = { a100, h100 }, expect = "h100 > a100" },
  { name = "with a deadline what starts in time comes first", workload = with { deadline = hour, waited = hour - 900 },
    candidates = { a100, h100 }, expect = "a100 > h100" },
  { name = "a deadline that is far away changes nothing", workload = with { deadline = 24 * hour }, candidates = { a100, h100 },
    expect = "h100 > a100" },
  { name = "nobody waits past a deadline for hardware that we own", workload = with { deadline = hour, waited = hour - 400 },
    candidates = { own, a100 }, expect = "a100 > iron" },
  { name = "and not so long that a pool would be late", workload = with { deadline = hour, waited = hour - 600 },
    candidates = { own, a100 }, expect = { { candidates = "iron", patience = 480 }, "a100" } },
}
