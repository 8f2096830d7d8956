# SPDX-License-Identifier: Apache-2.0
"""launch.py PARENT ETC -- ARGV...: becomes ARGV, to be killed when the thread that started it ends.

ETC, if not empty, is a directory that ARGV sees as /etc, in a mount namespace of its own: Kueue with certificates of
ours reads /etc/kueue/metrics/certs, a path that no setting changes, and a test must not write into the machine's /etc.
"""
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def must(rc, what):
    if rc != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def own_etc(directory):
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNS) != 0:
        must(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare, for an /etc of Kueue's own")
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as f:
                f.write(text)
    must(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "making mounts private")
    must(libc.mount(directory.encode(), b"/etc", None, MS_BIND, None), "mounting over /etc")


def main():
    parent, etc, argv = int(sys.argv[1]), sys.argv[2], sys.argv[4:]
    if etc:
        own_etc(etc)
    must(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
    os.execv(argv[0], argv)


main()
