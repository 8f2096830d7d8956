#!/bin/sh
# tidy.sh BUILD: clang-tidy over the sources with the compilation database in BUILD. Checks: .clang-tidy
set -u
bad=0
find gateway providers policies config -name '*.c' | LC_ALL=C sort |
	xargs -P "$(nproc)" -n 8 clang-tidy -p "$1" --quiet 2>/dev/null | grep -E '(warning|error):' | sort -u && bad=1
[ $bad = 0 ] && echo "clang-tidy: clean"
exit $bad
