#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the includes against the order of rooms: calls go one way (gateway/README.md has the picture)."""
import pathlib
import re
import sys

# What each room may include besides core and its own headers.
CORE = "blob buf err fault heap json keymap keyq log loop metrics text yaml".split()
PURE_API = "discovery patch protobuf resource schema selector status table".split()
ALLOWED = {
    "core": [],
    "http": ["http"],
    "auth": "http kubeconfig".split(),
    "kube": "event http kubeconfig kube".split(),
    "catalog": "catalog".split(),
    "kinds": "catalog companions kinds needs topology translate mark".split(),
    "queue": "queue".split(),
    "api": PURE_API + "api store".split(),
    "policies": "catalog kinds policy translate".split(),
    "config": "catalog config kinds kube kubeconfig provider".split(),
    "manager": PURE_API + "api catalog config embedded event http kinds kube kubeconfig manager mirror queue store translate".split(),
    "providers": PURE_API + "api catalog config kinds kube provider sim store http kubeconfig".split(),
    "workers": "catalog companions config http kinds kube kubeconfig manager needs provider topology translate workers".split(),
    "burst": "burst catalog config kinds manager provider workers".split(),
    "nominate": "catalog config event http kinds kube kubeconfig nominate policy provider workers".split(),
    "dispatch": "burst catalog companions config decision dispatch kinds kube manager needs policy provider translate workers http".split(),
}
# cli, and gateway.c which puts the rooms together, may use everything.
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def room_of(path):
    parts = path.parts
    if parts[0] == "gateway" and len(parts) > 2:
        return parts[1]
    return parts[0] if parts[0] in ("providers", "policies", "config") else None


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    bad = checked = 0
    for path in sorted(p.relative_to(root) for d in ("gateway", "providers", "policies", "config") for p in (root / d).rglob("*.[ch]")):
        room = room_of(path)
        if room is None or room == "cli":
            continue
        checked += 1
        for inc in INCLUDE.findall((root / path).read_text()):
            if inc.startswith("spillway/"):
                noun = inc[len("spillway/"):-2]
                if noun not in CORE + ALLOWED.get(room, []):
                    print(f"{path}: room {room} may not include {inc}")
                    bad += 1
            elif not (root / path.parent / inc).exists():
                print(f'{path}: "{inc}" is not beside it: rooms talk through include/spillway/ only')
                bad += 1
            elif room_of((path.parent / inc).resolve().relative_to(root) if ".." in inc else path) != room:
                print(f"{path}: {inc} is another room's private header")
                bad += 1
    print(f"layers: {checked} files, {bad} includes against the order")
    return 1 if bad or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
