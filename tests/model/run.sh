#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Explores tests/model/win.pml and offers.pml with SPIN: the protocol must hold in every state, and each broken variant must be found out.
# Prints one PASS or FAIL line per variant; exit status 1 if one fails. 77: spin is absent.
set -u
here=$(cd "$(dirname "$0")" && pwd)
command -v spin >/dev/null || { echo "not run: spin is not installed (Debian package spin)"; exit 77; }
cc=${CC:-gcc}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

file=win # which of the models
# explore NAME EXPECTED(holds|broken) FLAGS...
explore() {
	name=$1 expected=$2
	shift 2
	mkdir -p "$dir/$name" && cd "$dir/$name" || exit 1
	spin -a "$@" "$here/$file.pml" >spin.out 2>&1 && "$cc" -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c >>spin.out 2>&1 || { cat spin.out; echo "FAIL model $name: does not compile"; failed=1; return; }
	./pan -m400000 -n >pan.out 2>&1
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
	if grep -q 'max search depth too small\|out of memory' pan.out; then
		echo "FAIL model $name: not explored to the end"; failed=1
	elif grep -q 'errors: 0' pan.out; then
		[ "$expected" = holds ] && echo "PASS model $name: never two running copies, never two ends ($states states)" || { echo "FAIL model $name: the fault was not found ($states states)"; failed=1; }
	elif grep -q 'assertion violated' pan.out; then
		[ "$expected" = broken ] && echo "PASS model $name: found out, as it must be" || { grep 'assertion violated' pan.out; echo "FAIL model $name: a job runs twice"; failed=1; }
	else
		tail -5 pan.out; echo "FAIL model $name: no verdict"; failed=1
	fi
}

explore protocol holds
explore create-again broken -DCREATE_AGAIN
explore create-before-win broken -DNO_MEMORY -DCREATE_BEFORE_WIN
explore unseen-is-absent broken -DNO_MEMORY -DUNSEEN_IS_ABSENT
explore start-at-once broken -DNO_MEMORY -DSTART_AT_ONCE
explore no-uid broken -DNO_MEMORY -DNO_UID
explore no-compare-and-set broken -DNO_MEMORY -DNO_CAS
explore duplicate-mode broken -DNO_MEMORY -DDUPLICATE
explore forget-extras holds -DNO_MEMORY -DFORGET_EXTRAS
file=offers
explore offers holds
explore release-with-offer broken -DRELEASE_WITH_OFFER
explore no-mark broken -DNO_MARK
explore offers-create-before-win broken -DCREATE_BEFORE_WIN
explore offers-unseen-is-absent broken -DUNSEEN_IS_ABSENT
exit $failed
