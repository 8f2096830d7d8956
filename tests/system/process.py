# SPDX-License-Identifier: Apache-2.0
"""Programs under test, and waiting for what they do. Used by the system tests and those among real servers."""
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("B", "build")
LIMIT = float(os.environ.get("SPILLWAY_TEST_LIMIT", "60"))  # seconds that one wait may take; sanitizer builds are slow
PATIENT = 3 if "asan" in str(BUILD) else 1


class Process:
    """A program of ours; its output goes to a file that a failing test can show."""

    def __init__(self, log, argv, env=None):
        self.log = pathlib.Path(log)
        self.out = open(self.log, "ab")
        self.start = self.out.tell()
        self.p = subprocess.Popen([str(a) for a in argv], stdout=self.out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})

    def text(self):
        return self.log.read_bytes()[self.start:].decode(errors="replace")

    def wait_for(self, what, limit=LIMIT):
        """Waits until `what` is printed, or fails with everything that was."""
        end = time.monotonic() + limit * PATIENT
        while what not in self.text():
            assert self.p.poll() is None, f"ended with {self.p.returncode} before printing {what!r}:\n{self.text()}"
            assert time.monotonic() < end, f"did not print {what!r}:\n{self.text()}"
            time.sleep(0.01)

    def stop(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        code = self.p.wait(timeout=30 * PATIENT)
        self.out.close()
        return code


def run(*argv, check=True, stdin=None, env=None, timeout=120):
    """Runs a command to its end; returns stdout. Fails with both outputs unless check is False (then the whole result)."""
    done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True, timeout=timeout * PATIENT, env={**os.environ, **(env or {})})
    if not check:
        return done
    assert done.returncode == 0, f"{argv} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def eventually(check, what, limit=LIMIT):
    """Polls until check() is true (used where no watch can tell), and returns its value."""
    end = time.monotonic() + limit * PATIENT
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.02)
