-- SPDX-License-Identifier: Apache-2.0
local function pool(name, price, egress, more)
  local c = { pool = name, growable = true, nodes_needed = 1, price = price, egress = egress }
  for k, v in pairs(more or {}) do c[k] = v end
  return c
end
local far = "s3://bucket@europe-west4:500Gi"

return {
  { name = "a dearer pool beside the data wins over a cheaper one far away", workload = { gpus = 8, data = far },
    candidates = { pool("far", 10, 60), pool("near", 12, 0) }, expect = "near > far",
    expect_reason = "$96.00 for 8 hours on c/near, $0.00 of it for its data" },
  { name = "cheap enough is worth the way", workload = { gpus = 8, data = far },
    candidates = { pool("far", 4, 60), pool("near", 12, 0) }, expect = "far > near" },
  { name = "a long run is worth the way as well", workload = { gpus = 8, data = far, labels = { ["spillway.dev/hours"] = "48" } },
    candidates = { pool("far", 10, 60), pool("near", 12, 0) }, expect = "far > near",
    expect_reason = "$540.00 for 48 hours on c/far, $60.00 of it for its data" },
  { name = "an unknown way comes after every known one", workload = { gpus = 8, data = far },
    candidates = { pool("unknown", 1, nil), pool("dear", 90, 400) }, expect = "dear > unknown" },
  { name = "without data the price decides", workload = { gpus = 8 },
    candidates = { pool("a", 10, nil), pool("b", 9, nil) }, expect = "b > a", expect_reason = "it names no data: by price alone, c/b" },
  { name = "what we own costs its egress alone", workload = { gpus = 8, data = far },
    candidates = { pool("near", 12, 0), { pool = "own", egress = 45 } }, expect = "own > near" },
  { name = "the GPU asked for first stays first", workload = { gpus = 8, data = far, models = { "H100", "A100-80GB" } },
    candidates = { pool("a", 1, 0, { model = "A100-80GB" }), pool("h", 50, 60, { model = "H100" }) }, expect = "h > a" },
  { name = "a label that is no number changes nothing", workload = { gpus = 8, data = far, labels = { ["spillway.dev/hours"] = "long" } },
    candidates = { pool("far", 10, 60), pool("near", 12, 0) }, expect = "near > far" },
}
