-- SPDX-License-Identifier: Apache-2.0
local gpu = { gpus = 8 }
local function cloud(name, start, more)
  local c = { pool = name, growable = true, nodes_needed = 1, price = 10, expected_start = start }
  for k, v in pairs(more or {}) do c[k] = v end
  return c
end

return {
  { name = "what fits now comes first, together", workload = gpu,
    candidates = { cloud("a", 60), { pool = "own", price = 2 }, { pool = "warm", growable = true, price = 1 } },
    expect = "warm own > a", expect_reason = "starts at once on c/warm" },
  { name = "then in the order of the expected start", workload = gpu,
    candidates = { cloud("slow", 600), cloud("quick", 90), { pool = "own", nodes_needed = 1, expected_start = 300 } },
    expect = "quick > own > slow", expect_reason = "starts first on c/quick" },
  { name = "an unknown start is the last", workload = gpu, candidates = { cloud("a"), cloud("b", 3000) }, expect = "b > a" },
  { name = "a pool that is sold out starts when it sells again", workload = gpu,
    candidates = { cloud("out", 60, { stockout = 900 }), cloud("in", 300) }, expect = "in > out" },
  { name = "of two that start alike the one asked for first", workload = { gpus = 8, models = { "H100", "A100-80GB" } },
    candidates = { cloud("a", 60, { model = "A100-80GB", price = 5 }), cloud("h", 60, { model = "H100" }) }, expect = "h > a" },
  { name = "money is no object, but max-price is", workload = { gpus = 8, max_price = 9 }, candidates = { cloud("a", 1) }, expect = "" },
  { name = "an unknown price is not bought", workload = gpu, candidates = { { pool = "a", growable = true, nodes_needed = 1, expected_start = 1 } }, expect = "" },
  { name = "spot only where the job allows it", workload = gpu, candidates = { cloud("s", 1, { spot = true }), cloud("a", 60) }, expect = "a" },
}
