# SPDX-License-Identifier: Apache-2.0
"""Limits of the machine that many servers at once run into."""
import pathlib

INOTIFY = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
WANTED = 512  # a cluster with Kueue takes 8 of a user's instances; a new machine has 128, and other programs have theirs


def raise_inotify(say, path=INOTIFY, wanted=WANTED):
    """Sees to it that servers may watch their files; says what was done, or what a person with the right to it must do."""
    try:
        have = int(path.read_text())
    except (OSError, ValueError):  # no Linux, or hidden: nothing to say
        return
    if have >= wanted:
        return
    try:
        path.write_text(str(wanted))
        say(f"raised fs.inotify.max_user_instances from {have} to {wanted}, until the next boot: the servers watch files")
    except OSError:
        say(f"fs.inotify.max_user_instances is {have}, low for several clusters; if servers end with \"too many open files\", as root: "
            f"sysctl fs.inotify.max_user_instances={wanted}")
