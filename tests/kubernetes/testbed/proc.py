# SPDX-License-Identifier: Apache-2.0
"""Server processes that cannot outlive the process that started them, even if that one is killed with SIGKILL."""
import concurrent.futures
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

LAUNCH = pathlib.Path(__file__).with_name("launch.py")

# The kernel kills a child when the *thread* that made it ends, so one thread that lives as long as the process makes all.
SPAWNER = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
taken, taken_lock = set(), threading.Lock()


def free_port():
    """A port below the ephemeral range: nobody's outgoing connection takes it while its server is being restarted."""
    with taken_lock:
        while True:
            port = random.randrange(15000, 32000)
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    continue
            if port not in taken:
                taken.add(port)
                return port


def wait_port(port, alive, limit_s=120):
    """Until somebody listens on the port; fails when `alive()` does."""
    end = time.monotonic() + limit_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            alive()
            if time.monotonic() > end:
                raise TimeoutError(f"nobody listens on port {port}") from None
            time.sleep(0.05)


class Server:
    """One program of a cluster: started, killed and started again with the same arguments."""

    def __init__(self, name, log, argv, etc=""):
        self.name, self.log, self.argv, self.etc = name, pathlib.Path(log), [str(a) for a in argv], str(etc)
        self.p = None
        self.wanted = False

    def start(self):
        assert not self.running(), f"{self.name} already runs"
        self.p = SPAWNER.submit(self.spawn).result()
        self.wanted = True  # only now: the process before it has ended, and nobody is to be told so
        self.log.with_suffix(".pid").write_text(str(self.p.pid))

    def spawn(self):
        with open(self.log, "ab") as out:
            return subprocess.Popen([sys.executable, "-S", str(LAUNCH), str(os.getpid()), self.etc, "--", *self.argv], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def alive(self):
        """Raises with the end of its log if it ended."""
        if not self.running():
            raise RuntimeError(f"{self.name} ended with {self.p and self.p.returncode}; the end of {self.log}:\n{self.tail()}")

    def running(self):
        return self.p is not None and self.p.poll() is None

    def died(self):
        return self.wanted and self.p is not None and self.p.poll() is not None

    def tail(self, n=4000):
        return self.log.read_bytes()[-n:].decode(errors="replace") if self.log.exists() else ""

    def send(self, sig):
        self.p.send_signal(sig)

    def freeze(self):
        """SIGSTOP, and it has taken effect."""
        self.send(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{self.p.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] not in "Tt":
            time.sleep(0.001)

    def stop(self, sig=signal.SIGTERM, limit_s=15):
        self.wanted = False
        if not self.running():
            return
        self.p.send_signal(sig)
        try:
            self.p.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
