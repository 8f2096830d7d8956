#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh [PROGRAM...]: the benchmarks of build $B (api, dispatch, memory, policy, scale), one after the other, as one table. BENCH_DIR is
# where the stores go: put it on the disk that is to be measured (default: the build directory). BENCH_OUTPUT=json prints one JSON document.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
export BENCH_DIR="${BENCH_DIR:-$B}"
[ $# -gt 0 ] || set -- api dispatch memory policy scale
for p in "$@"; do
	make --no-print-directory "B=$B" "$B/bench/$p" >&2 || exit 1
done

disk() { # the device below BENCH_DIR, and whether it turns
	dev=$(df -P "$BENCH_DIR" | awk 'NR == 2 { print $1 }')
	fs=$(df -PT "$BENCH_DIR" | awk 'NR == 2 { print $2 }')
	base=$(basename "$(readlink -f "$dev")")
	turns=$(cat "/sys/class/block/$base/queue/rotational" "/sys/class/block/$base/../queue/rotational" 2>/dev/null | head -1)
	case $turns in 0) kind="no spinning disk" ;; 1) kind="spinning or virtual disk" ;; *) kind="unknown disk" ;; esac
	echo "$dev ($fs, $kind)"
}

run() {
	for p in "$@"; do
		timeout 300 "$B/bench/$p" || { echo "$p did not come to its end" >&2; bad=1; }
	done
	return $bad
}
bad=0
if [ "${BENCH_OUTPUT-}" = json ]; then
	printf '{"machine":"%s x %s","system":"%s","disk":"%s","version":"%s","results":[' "$(nproc)" \
		"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(uname -sr)" "$(disk)" "$(cat VERSION)"
	lines=$(run "$@") || bad=1
	printf '%s]}\n' "$(echo "$lines" | paste -sd, -)"
	exit $bad
fi
printf 'machine    %s x %s, %s MB\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" \
	"$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
printf 'system     %s, load %s before the run\n' "$(uname -sr)" "$(cut -d' ' -f1-3 /proc/loadavg)"
printf 'disk       %s\n' "$(disk)"
printf 'spillway   %s%s\n\n' "$(cat VERSION)" "$(git rev-parse --short HEAD 2>/dev/null | sed 's/^/ at /')"
printf '%-52s %-22s %-18s %s\n' figure value goal ''
run "$@"
exit $bad
