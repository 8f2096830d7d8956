#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# replay.sh [TARGET...]: every fuzz target over its corpus, with every seed cut short and changed; seconds. B names the build.
# A sanitizer build (make asan) sees the most. After a failure build/.../fuzz/last-TARGET holds the input.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
replay=$B/fuzz/replay
[ -x "$replay" ] || { echo "replay.sh: no $replay; make B=$B tests-build makes it" >&2; exit 1; }
export ASAN_OPTIONS="abort_on_error=1:detect_leaks=1:${ASAN_OPTIONS-}" UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS-}"
bad=0
for t in ${*:-$("$replay")}; do
	set -- tests/fuzz/corpus/"$t"/*
	[ -f "$1" ] || { echo "FAILED: $t has no corpus in tests/fuzz/corpus/$t"; bad=1; continue; }
	if FUZZ_LAST=$B/fuzz/last-$t timeout 300 "$replay" "$t" -m "${FUZZ_CHANGES:-100}" "$@"; then
		rm -f "$B/fuzz/last-$t"
	else
		echo "FAILED: $t; the input is kept: $replay $t $B/fuzz/last-$t"
		bad=1
	fi
done
exit $bad
