# SPDX-License-Identifier: Apache-2.0
"""
Runs the tutorials of docs/: files are written as their fenced blocks say, commands are run, and what they print is held against the
page. In an expected output a line "..." stands for any number of lines, and "..." within a line for any text.
"""
import os
import re
import subprocess

import pytest

from conftest import BUILD, PATIENT, ROOT, Process

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
NAMED = re.compile(r"^(?:--|#) ([\w.-]+\.(?:lua|yaml))$")


def steps_of(page):
    """("file", name, text) and ("run", command, expected lines), in order."""
    steps = []
    for kind, body in FENCE.findall(page):
        lines = body.splitlines()
        if kind == "console":
            assert lines[0].startswith("$ "), lines[0]
            for line in lines:
                if line.startswith("$ "):
                    steps.append(("run", line[2:], []))
                else:
                    steps[-1][2].append(line)
        else:
            name = NAMED.match(lines[0])
            assert name, f"a block of {kind} begins with the name of its file: {lines[0]}"
            steps.append(("file", name[1], body))
    return steps


def line_matches(expected, found):
    return re.fullmatch(".*".join(re.escape(part) for part in expected.split("...")), found) is not None


def output_matches(expected, found):
    """Does every expected line stand there, in order, with nothing between but where "..." allows it?"""
    if not expected:
        return not found
    if expected[0] == "...":
        return any(output_matches(expected[1:], found[i:]) for i in range(len(found) + 1))
    return bool(found) and line_matches(expected[0], found[0]) and output_matches(expected[1:], found[1:])


class Shell:
    def __init__(self, where):
        self.where, self.behind = where, []
        self.env = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}"}

    def run(self, command):
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.env[name] = value
            return []
        if command.endswith(" &"):
            log = self.where / f"behind-{len(self.behind)}.log"
            p = Process(log, ["sh", "-c", f"cd {self.where} && exec {command.removesuffix(' &')}"], self.env)
            self.behind.append(p)
            p.wait_for("kubectl --kubeconfig", 120)
            return []
        done = subprocess.run(command, shell=True, cwd=self.where, env=self.env, capture_output=True, text=True, timeout=120 * PATIENT)
        return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("page", ["policies.md"])
def test_a_tutorial_does_what_it_says(page, tmp_path):
    shell, commands = Shell(tmp_path), 0
    try:
        for kind, what, rest in steps_of((ROOT / "docs" / page).read_text()):
            if kind == "file":
                (tmp_path / what).write_text(rest)
                continue
            commands += 1
            found = shell.run(what)
            expected = [line.rstrip() for line in rest]
            assert output_matches(expected, [line.rstrip() for line in found]), f"$ {what}\n" + "\n".join(found)
    finally:
        for p in shell.behind:
            p.stop()
    assert commands > 15


def test_what_is_compared_can_differ():
    assert output_matches(["a", "...", "c..."], ["a", "b", "b", "cd"])
    assert not output_matches(["a", "c"], ["a", "b", "c"])
    assert not output_matches(["a"], ["a", "b"])
    assert not output_matches(["...", "x"], ["a"])
    with pytest.raises(AssertionError):
        steps_of("```lua\nno name\n```\n")
