#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# long.sh PROGRAM TARGET SECONDS: one libFuzzer run. New inputs are kept under build/fuzz/corpus/TARGET, findings
# beside them; put a finding that was mended into tests/fuzz/corpus/TARGET, with a name that says what it was.
set -eu
cd "$(dirname "$0")/../.."
program=$1 target=$2 seconds=$3
kept=build/fuzz/corpus/$target found=build/fuzz/found/$target-
mkdir -p "$kept" build/fuzz/found
dict=
[ ! -f "tests/fuzz/$target.dict" ] || dict=-dict=tests/fuzz/$target.dict
echo "== $target, $seconds s"
ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 nice -n 10 "$program" $dict \
	-max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
	-artifact_prefix="$found" "$kept" "tests/fuzz/corpus/$target" >"build/fuzz/found/$target.log" 2>&1 || {
	grep -vE '(REDUCE|NEW|pulse) ' "build/fuzz/found/$target.log" | tail -60; exit 1; }
grep -aE 'stat::|cov:' "build/fuzz/found/$target.log" | tail -3
