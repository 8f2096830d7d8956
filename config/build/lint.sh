#!/bin/sh
# lint.sh: sizes, complexity, banned functions, shell syntax. No list of exceptions.
set -u
bad=0
files=$(find gateway providers policies config include tests -name '*.[ch]' | LC_ALL=C sort)

for f in $files; do
	n=$(wc -l <"$f")
	[ "$n" -le 800 ] || { echo "$f: $n lines, at most 800"; bad=1; }
	head -1 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || { echo "$f:1: no SPDX line"; bad=1; }
done

# pmccabe columns: modified complexity, complexity, statements, first line, lines, file(line): name
src=$(find gateway providers policies config -name '*.c')
# shellcheck disable=SC2086
pmccabe $src 2>/dev/null | awk '
	$5 > 60 { printf "%s %s: %d lines, at most 60\n", $6, $7, $5; bad = 1 }
	$1 > 15 { printf "%s %s: complexity %d, at most 15\n", $6, $7, $1; bad = 1 }
	END { exit bad }' || bad=1

# What must not be called: unbounded, unsafe in a loop, or has a better form here.
# shellcheck disable=SC2086
grep -nE '(^|[^_a-zA-Z0-9>.])(strcpy|strcat|sprintf|vsprintf|gets|strtok|gmtime|localtime|asctime|ctime|system|popen|alloca|atoi|atol|sscanf|rand|usleep|sleep) *\(' $src \
	| grep -vE '^[^:]+:[0-9]+:\s*(/?\*|//)' && { echo "^ banned functions"; bad=1; }
# shellcheck disable=SC2086
grep -nE '(^|[^_a-zA-Z])assert *\(' $src && { echo "^ assert: use SW_REQUIRE"; bad=1; }

for s in $(find config/build tests .ci -name '*.sh') .ci/run; do
	sh -n "$s" || bad=1
done
[ $bad = 0 ] && echo "lint: $(echo "$files" | wc -l) files, nothing to complain about"
exit $bad
