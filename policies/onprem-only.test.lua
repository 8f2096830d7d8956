-- SPDX-License-Identifier: Apache-2.0
return {
  { name = "clouds are never used, not even those with free nodes", workload = { gpus = 8 },
    candidates = { { pool = "cloud", growable = true, price = 1 } }, expect = "",
    expect_reason = "only our own hardware may be used, and none of it will do" },
  { name = "what fits is tried at once, then everything is waited for", workload = { gpus = 8 },
    candidates = { { pool = "busy", nodes_needed = 1 }, { pool = "free" }, { pool = "cloud", growable = true, price = 1 } },
    expect = { { candidates = "free", patience = 300 }, { candidates = "free busy", patience = 43200 } } },
  { name = "a shorter queue is better", workload = { gpus = 8 },
    candidates = { { pool = "long", nodes_needed = 1, queue_depth = 9 }, { pool = "short", nodes_needed = 1, queue_depth = 1 } },
    expect = "short long", expect_reason = "waits for our own hardware; nothing is bought" },
  { name = "max-price holds for what we own too", workload = { gpus = 8, max_price = 2 },
    candidates = { { pool = "dear", price = 3 }, { pool = "cheap", price = 2 } }, expect = "cheap > cheap" },
  { name = "a job without GPUs leaves GPU nodes to others", workload = { gpus = 0 },
    candidates = { { pool = "v100", model = "V100" }, { pool = "cpu", queue_depth = 9 } }, expect = "cpu v100 > cpu v100" },
}
