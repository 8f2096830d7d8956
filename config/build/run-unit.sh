#!/bin/sh
# Runs Criterion programs. abort_on_error: Criterion passes a test that LeakSanitizer complains about unless it dies.
set -u
export ASAN_OPTIONS="abort_on_error=1:${ASAN_OPTIONS-}" UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS-}"
rc=0
for t in "$@"; do
	"$t" --quiet -j"$(nproc)" ${TEST_ARGS-} || { rc=1; echo "FAILED: $t" >&2; "$t" -j1 ${TEST_ARGS-} 2>&1 | grep -v 'Warning' | tail -40 >&2; }
done
exit $rc
