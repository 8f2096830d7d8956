# SPDX-License-Identifier: Apache-2.0
"""The table in README.md holds every test that Kueue has for MultiKueue, and every test that it names is there."""
import pathlib
import re

import pytest

from testbed import sources

HERE = pathlib.Path(__file__).resolve().parent
VERDICTS = {"same", "better", "not applicable", "not yet"}


def table():
    rows = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in (HERE / "README.md").read_text().splitlines() if re.match(r"\| (integration|e2e)/", line)]
    assert all(len(r) == 3 for r in rows), [r for r in rows if len(r) != 3]
    return rows


def upstream():
    """folder/file: text, of each test in Kueue's own source."""
    root = sources.kueue_dir("kueue") / "test"
    found = set()
    for part in ("integration/multikueue", "e2e/multikueue"):
        for f in (root / part).rglob("*_test.go"):
            name = str(f.relative_to(root)).removesuffix("_test.go")
            found |= {f"{name}: {text}" for text in re.findall(r'ginkgo\.(?:It|Entry)\(\s*"([^"]+)"', f.read_text())}
    return found


def test_no_row_is_missing_and_none_is_made_up():
    rows = [r[0] for r in table() if "singlecluster" not in r[0]]
    assert len(rows) == len(set(rows))
    assert set(rows) == upstream() and len(rows) > 100


def test_the_totals_are_right():
    said = {words: int(n) for n, words in re.findall(r"(\d+) (same|better|not applicable|not yet)\b", (HERE / "README.md").read_text())}
    assert said == {v: sum(r[1] == v for r in table()) for v in VERDICTS}


def test_every_verdict_says_why_or_names_a_test():
    for what, verdict, words in table():
        assert verdict in VERDICTS, what
        assert words, what
        if verdict in ("same", "better"):
            assert re.search(r"\btest_\w+", words), f"{what}: names no test"


def faults():
    text = (HERE / "README.md").read_text()
    start = text.index("## Faults, and what shows that they are survived")
    rows = [line.strip("|").split("|") for line in text[start : text.index("\n## ", start)].splitlines() if line.startswith("| ")]
    return [[c.strip() for c in r] for r in rows[2:]]


def test_each_fault_that_is_survived_names_the_tests_that_show_it():
    assert len(faults()) > 15
    for what, promise, tests in faults():
        assert what and promise and re.fullmatch(r"test_\w+(, test_\w+)*", tests), what


@pytest.mark.parametrize("name", sorted({n for r in [*table(), *faults()] for n in re.findall(r"\btest_\w+", r[2])}))
def test_a_test_that_the_table_names_is_there(name):
    assert any(re.search(rf"^def {name}\(", f.read_text(), re.M) for f in HERE.glob("test_*.py")), f"the table names {name}, which is no test"


def kinds(file):
    """Rows of the table of kinds: {kind: what it says for each role and worker}."""
    text = (HERE.parents[1] / file).read_text()
    start = text.index("| kind | embedded manager |")
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text[start : text.index("\n\n", start)].splitlines()[2:]]
    return {r[0]: r[1:6] for r in rows}


def test_the_kinds_of_the_readme_are_those_of_the_code_and_those_that_are_tried_here():
    """What says yes for mirror role is dispatched by test_mirror_kinds.py or test_mirror_jobs.py, unless the row says what it takes."""
    from kinds import KINDS

    readme, code = kinds("README.md"), kinds("gateway/kinds/README.md")
    assert readme == code
    tried = {k.kind for k in KINDS.values()} | {"Job"}
    for row, says in readme.items():
        if "/" in row and says[1] == "yes":
            missing = [k for k in re.findall(r"\b[A-Z]\w*(?:Job|Set|Cluster)\b|\bJob\b", row) if k not in tried]
            assert not missing, f"{row}: mirror role says yes, but nothing here tries {missing}"
