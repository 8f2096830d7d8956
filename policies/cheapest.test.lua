-- SPDX-License-Identifier: Apache-2.0
local gpu = { gpus = 8 }
local function cloud(name, price, more)
  local c = { pool = name, growable = true, nodes_needed = 1, price = price }
  for k, v in pairs(more or {}) do c[k] = v end
  return c
end

return {
  { name = "the cheapest comes first, whatever it is", workload = gpu,
    candidates = { cloud("a", 30), cloud("b", 10), { pool = "own", price = 20, nodes_needed = 1 } },
    expect = "b > own > a" },
  { name = "what we own counts as free where it has no price", workload = gpu,
    candidates = { cloud("a", 1), { pool = "own", nodes_needed = 1 } }, expect = "own > a",
    expect_reason = "the cheapest place it may use: c/own, $0.00 per hour" },
  { name = "an unknown price of a cloud is not cheap", workload = gpu, candidates = { cloud("a", nil), cloud("b", 90) }, expect = "b" },
  { name = "a cheaper GPU wins over the one asked for first", workload = { gpus = 8, models = { "H100", "A100-80GB" } },
    candidates = { cloud("h", 90, { model = "H100" }), cloud("a", 40, { model = "A100-80GB" }) }, expect = "a > h" },
  { name = "max-price holds for clouds and for what we own", workload = { gpus = 8, max_price = 15 },
    candidates = { cloud("a", 15), cloud("b", 15.01), { pool = "own", price = 16 } }, expect = "a" },
  { name = "spot only where the job allows it", workload = { gpus = 8, spot = "never" },
    candidates = { cloud("s", 3, { spot = true }), cloud("a", 10) }, expect = "a" },
  { name = "spot is cheap where it is allowed", workload = { gpus = 8, spot = "allow" },
    candidates = { cloud("s", 3, { spot = true }), cloud("a", 10) }, expect = "s > a" },
  { name = "a pool without quota is left out", workload = gpu,
    candidates = { cloud("a", 5, { nodes_needed = 3, quota_left = 2 }), cloud("b", 9) }, expect = "b" },
  { name = "the last step waits long", workload = gpu, candidates = { cloud("a", 5), cloud("b", 9) },
    expect = { { candidates = "a", patience = 1200 }, { candidates = "b", patience = 21600 } } },
  { name = "nothing that may be used means not now", workload = { gpus = 8, max_price = 1 }, candidates = { cloud("a", 5) }, expect = "" },
}
