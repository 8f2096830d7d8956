-- SPDX-License-Identifier: Apache-2.0
local function pool(name, nodes, free, more)
  local c = { pool = name, growable = true, price = 10, nodes = nodes, free = free, nodes_needed = free < 2 and 1 or 0 }
  for k, v in pairs(more or {}) do c[k] = v end
  return c
end

return {
  { name = "the fullest pool that still holds it", workload = { gpus = 2 }, candidates = { pool("roomy", 4, 20), pool("tight", 4, 2) },
    expect = "tight > roomy", expect_reason = "fills what is bought already: c/tight" },
  { name = "our own hardware before any", workload = { gpus = 2 }, candidates = { pool("tight", 4, 2), { pool = "own", free = 8 } }, expect = "own > tight" },
  { name = "one more node of an open pool before a new one", workload = { gpus = 2 },
    candidates = { pool("new", 0, 0, { price = 1 }), pool("open", 3, 0, { price = 10 }) }, expect = "open > new",
    expect_reason = "one more node where there are some: c/open" },
  { name = "the cheapest is opened", workload = { gpus = 2 },
    candidates = { pool("a", 0, 0, { price = 12 }), pool("b", 0, 0, { price = 11 }) }, expect = "b > a",
    expect_reason = "opens a new pool, all others are full: c/b" },
  { name = "our own hardware is waited for in the end", workload = { gpus = 2 },
    candidates = { { pool = "own", nodes_needed = 1 }, pool("new", 0, 0) }, expect = "new > own" },
  { name = "the GPU asked for first stays first", workload = { gpus = 2, models = { "H100", "A100-80GB" } },
    candidates = { pool("a", 4, 2, { model = "A100-80GB" }), pool("h", 4, 20, { model = "H100" }) }, expect = "h > a" },
  { name = "limits of the job hold", workload = { gpus = 2, max_price = 5 }, candidates = { pool("tight", 4, 2) }, expect = "" },
}
