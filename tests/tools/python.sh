#!/bin/sh
# python.sh: prints the path of a Python that has what tests/system/requirements.txt names, made once in build/venv; 77 if it cannot be made.
set -u
cd "$(dirname "$0")/../.." || exit 1
venv=$PWD/build/venv
want=$(cat tests/system/requirements.txt)
if [ "$(cat "$venv/made-from" 2>/dev/null)" != "$want" ]; then
	echo "making a Python environment with the official Kubernetes client in build/venv ..." >&2
	mkdir -p build
	python3 -m venv "$venv" >&2 && "$venv/bin/pip" install -q --disable-pip-version-check -r tests/system/requirements.txt >&2 || {
		echo "the official Python client could not be installed with pip (see above)" >&2; exit 77; }
	echo "$want" >"$venv/made-from"
fi
echo "$venv/bin/python"
