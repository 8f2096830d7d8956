# SPDX-License-Identifier: Apache-2.0
"""`spillway policy` as a person and as a build server use it."""
import json
import xml.etree.ElementTree

from conftest import BUILD, ROOT, run

SPILLWAY = BUILD / "spillway"


def spillway(*argv, **more):
    return run(SPILLWAY, *argv, check=False, **more)


FIRST = """
function place(w, candidates, ctx)
  if #candidates == 0 then return {} end
  return { { candidates = { candidates[1] }, patience = 600 }, reason = "the first one" }
end
"""
TESTS = """
local c = { cluster = "c", pool = "p" }
function test_the_first_is_taken() assert(place({}, { c }, {})[1].candidates[1] == c) end
function test_patience_is_an_hour() local p = place({}, { c }, {})[1].patience assert(p == 3600, "found " .. p .. ", <expected> 3600") end
"""


def test_a_failing_test_is_shown_counted_and_written_for_build_servers(tmp_path):
    (tmp_path / "first.lua").write_text(FIRST)
    (tmp_path / "first.test.lua").write_text(TESTS)
    done = spillway("policy", "test", tmp_path, "--junit", tmp_path / "out.xml")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:2] + lines[3:] == [f"{tmp_path}/first.lua", "  FAIL  patience is an hour", "  1 passed, 1 failed"]
    assert lines[2].endswith("first.test.lua:4: found 600, <expected> 3600")
    suite = xml.etree.ElementTree.parse(tmp_path / "out.xml").find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    cases = {c.get("name"): c for c in suite}
    assert cases["the first is taken"].find("failure") is None
    assert cases["patience is an hour"].find("failure").get("message").endswith("first.test.lua:4: found 600, <expected> 3600")
    rows = json.loads(spillway("policy", "test", tmp_path / "first.lua", "-o", "json").stdout)
    assert [(r["test"], r["passed"]) for r in rows] == [("patience is an hour", False), ("the first is taken", True)]


def test_a_folder_without_tests_or_a_policy_without_them_is_no_pass(tmp_path):
    done = spillway("policy", "test", tmp_path)
    assert done.returncode == 1 and "nothing was tested" in done.stderr
    (tmp_path / "first.lua").write_text(FIRST)
    done = spillway("policy", "test", tmp_path / "first.lua")
    assert done.returncode == 1 and "first.test.lua" in done.stderr


def test_check_names_the_line_and_the_input(tmp_path):
    bad = tmp_path / "bad.lua"
    bad.write_text("function place(w, candidates, ctx)\n  return { { candidates = { candidates[1] }, patience = 60 } }\nend\n")
    done = spillway("policy", "check", bad)
    assert done.returncode == 1 and "no candidates" in done.stdout and f"{bad}:" in done.stdout
    assert spillway("policy", "check", bad, "-o", "json").returncode == 1
    bad.write_text("function place(w, candidates, ctx)\n  return {\n")
    done = spillway("policy", "check", bad)
    assert done.returncode == 1 and f"{bad}:3:" in done.stdout


def test_the_shipped_policies_pass_and_their_names_are_known():
    for policy in sorted(ROOT.glob("policies/*.test.lua")):
        name = policy.name.removesuffix(".test.lua")
        assert spillway("policy", "check", name).returncode == 0, name
        assert spillway("policy", "test", name).returncode == 0, name
    done = spillway("policy", "test", "brust")
    assert done.returncode == 1 and 'did you mean "burst"?' in done.stderr
    done = spillway("policy", "tset")
    assert done.returncode == 2 and "did you mean test?" in done.stderr


OWN_ONLY = """
function place(w, candidates, ctx)
  local own = {}
  for _, c in ipairs(candidates) do if not c.growable then own[#own + 1] = c end end
  if #own == 0 then return {} end
  return { { candidates = own, patience = 600 }, reason = "own hardware only" }
end
"""


def test_what_the_demo_decided_is_recorded_and_replayed(demo, tmp_path):
    log = demo.dir / "decisions.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"train", "large", "render"} <= {line["workload"]["name"] for line in lines}
    assert all(line["policy"]["name"].endswith("burst.lua") and line["candidates"] and line["plan"]["steps"] for line in lines)
    assert "token" not in log.read_text() and log.stat().st_mode & 0o077 == 0

    same = json.loads(spillway("policy", "replay", "--with", "burst", log, "-o", "json").stdout)
    assert same["decisions"] >= len(lines) and same["plansChanged"] == 0 and same["changes"] == [] and same["before"] == same["after"]

    (tmp_path / "own.lua").write_text(OWN_ONLY)
    other = json.loads(spillway("policy", "replay", "--with", tmp_path / "own.lua", log, "-o", "json").stdout)
    train = next(c for c in other["changes"] if "train" in c["workload"])
    assert train["before"]["place"] == "gke/h100" and "place" not in train["after"] and other["after"]["placed"] < other["before"]["placed"]
    assert other["after"]["priceHour"] < other["before"]["priceHour"]
    shown = spillway("policy", "replay", "--with", tmp_path / "own.lua", log).stdout
    assert "go elsewhere" in shown and "gke/h100" in shown and "price per hour" in shown

    dear = tmp_path / "machines.csv"
    dear.write_text("provider,type,region,price_hour,source,date\ngcp,a3-highgpu-8g,europe-west4,225.08,test,2026-11-01\n")
    doubled = spillway("policy", "replay", "--with", "burst", "--catalog", dear, log, "-v", "-o", "json")
    assert doubled.returncode == 0, doubled
    doubled = json.loads(doubled.stdout)
    (row,) = [c for c in doubled["changes"] if "train" in c["workload"]]
    assert row["change"] in ("plan", "price") and abs(row["priceHour"] - row["before"]["priceHour"]) < 0.01 and doubled["placesChanged"] == 0

    (tmp_path / "half.jsonl").write_text(log.read_text() + '{"time":"2026')
    half = spillway("policy", "replay", "--with", "burst", tmp_path / "half.jsonl")
    assert half.returncode == 0 and "1 lines were left out" in half.stderr
    for words, says in (([], "at least one log"), (["/nowhere"], "/nowhere: cannot open"), ([tmp_path / "own.lua"], "own.lua:2")):
        wrong = spillway("policy", "replay", "--with", "burst", *words)
        assert wrong.returncode and says in wrong.stderr, wrong
