#!/bin/sh
# run.sh [STAGE...]: every test that this machine can run; says what it could not run, and how to get it.
# B names the build (default build). Stages: layers unit policies fuzz model system kubernetes
# REQUIRE names stages that must be run: one that cannot be counts as failed.
set -u
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
stages=${*:-layers unit policies fuzz model system kubernetes}
passed=0 failed=0 skipped=0 report=
export ASAN_OPTIONS="abort_on_error=1:detect_leaks=1:${ASAN_OPTIONS-}" UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS-}"

stage() { # stage NAME COMMAND...: runs it; 77 means "cannot run here"
	name=$1; shift
	started=$(date +%s)
	printf '\n== %s\n' "$name"
	"$@"
	rc=$?
	took=$(($(date +%s) - started))
	case $rc in
	0) passed=$((passed + 1)); word=passed ;;
	77) case " ${REQUIRE-} " in
		*" $name "*) failed=$((failed + 1)); word="not run: FAILED" ;;
		*) skipped=$((skipped + 1)); word="not run" ;;
		esac ;;
	*) failed=$((failed + 1)); word=FAILED ;;
	esac
	report="$report$(printf '\n  %-10s %-8s %4d s' "$name" "$word" "$took")"
}

system_tests() {
	python=$(tests/tools/python.sh) || { echo "not run: see above"; return 77; }
	KUBECTL=$(tests/tools/kubectl.sh) || KUBECTL=
	export KUBECTL B
	[ -n "$KUBECTL" ] || echo "kubectl's own tests are not run: no kubectl >= 1.29 on PATH, and no Go >= 1.26 to build one from its module"
	$python -m pytest -q -n 4 --dist loadgroup tests/system ${PYTEST_ARGS-}
}

for s in $stages; do
	case $s in
	layers) stage layers python3 tests/layers.py ;;
	unit) stage unit config/build/run-unit.sh $(find "$B/test" -name "*.test" | LC_ALL=C sort) ;;
	policies) stage policies "$B/spillway" policy test policies ;;
	fuzz) stage fuzz tests/fuzz/replay.sh ;;
	model) stage model tests/model/run.sh ;;
	system) stage system system_tests ;;
	kubernetes) stage kubernetes tests/kubernetes/run ${PYTEST_ARGS-} ;;
	*) echo "run.sh: there is no stage $s" >&2; exit 2 ;;
	esac
done
printf '\nstages:%s\n\n' "$report"
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
