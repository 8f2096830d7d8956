#!/bin/sh
# Installs the Debian packages named on the command line, if any is missing. Says so first.
set -eu
missing=
for p in "$@"; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "spillway needs these Debian packages, which are not installed yet:$missing"
if [ "$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null; then sudo=sudo; else
	echo "Install them as root, then run make again:  apt-get install -y$missing" >&2
	exit 1
fi
echo "Installing them with apt-get (about a minute)..."
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
$sudo apt-get update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
# shellcheck disable=SC2086
$sudo apt-get install -y --no-install-recommends $missing >"$log" 2>&1 || { tail -20 "$log" >&2; exit 1; }
rm -f "$log"
echo "Installed."
