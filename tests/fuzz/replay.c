/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs a fuzz target over files, without libFuzzer
 *
 *   replay TARGET [-m N] FILE...   each file as it is, cut at every place in turn, and N changed copies of it
 *   replay                         lists the targets
 *
 * The changes come from a fixed sequence, so that a failure comes again. The input that is being run is kept in
 * $FUZZ_LAST (a file) if that is set: after a crash it holds the culprit.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spillway/err.h"
#include "spillway/log.h"
#include "spillway/text.h"

typedef int fuzz_fn(const uint8_t *data, size_t size);

struct target {
	const char *name;
	fuzz_fn *fn;
};

#define X(name) fuzz_fn fuzz_##name;
FUZZ_TARGETS
#undef X

static const struct target targets[] = {
#define X(name) {#name, fuzz_##name},
	FUZZ_TARGETS
#undef X
};
enum { TARGETS = sizeof(targets) / sizeof(*targets), CUTS_MAX = 600, CHANGES = 4 };

/* Exact-size heap copies, so that a sanitizer sees one byte too many. */
static void run(const struct target *t, const char *bytes, size_t len)
{
	const char *last = getenv("FUZZ_LAST");
	uint8_t *copy = malloc(len ? len : 1);
	int fd = last ? open(last, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;

	SW_REQUIRE(copy != NULL);
	memcpy(copy, bytes, len);
	if (fd >= 0) {
		SW_REQUIRE(write(fd, copy, len) == (ssize_t)len);
		close(fd);
	}
	t->fn(copy, len);
	free(copy);
}

static uint32_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

/* A few bytes replaced, doubled or dropped. */
static size_t change(char *b, size_t len, size_t room, uint64_t *state)
{
	static const char odd[] = "\0\xff\"{}[]:,.-0919eEinN/\\ \n\t~$*&|<>%()=!";
	unsigned n = 1 + next(state) % CHANGES;

	for (unsigned i = 0; i < n && len; i++) {
		size_t at = next(state) % len, more = 1 + next(state) % 16;

		switch (next(state) % 4) {
		case 0:
			b[at] = (char)next(state);
			break;
		case 1:
			b[at] = odd[next(state) % (sizeof(odd) - 1)];
			break;
		case 2:
			more = more > len - at ? len - at : more;
			memmove(b + at, b + at + more, len - at - more);
			len -= more;
			break;
		default:
			more = more > len - at ? len - at : more;
			if (len + more <= room) {
				memmove(b + at + more, b + at, len - at);
				len += more;
			}
		}
	}
	return len;
}

static unsigned long run_file(const struct target *t, const char *path, unsigned changes)
{
	char *bytes, *work;
	size_t len, room, step;
	uint64_t state = 1;
	unsigned long runs = 1;
	struct sw_err e = sw_file_read(path, 1 << 20, &bytes, &len);

	if (sw_failed(e)) {
		fprintf(stderr, "replay: %s\n", e.text);
		exit(2);
	}
	run(t, bytes, len);
	step = len / CUTS_MAX + 1;
	for (size_t cut = 0; changes && cut < len; cut += step, runs++)
		run(t, bytes, cut);
	room = len + 64;
	work = sw_calloc(1, room);
	for (unsigned i = 0; i < changes; i++, runs++) {
		memcpy(work, bytes, len);
		run(t, work, change(work, len, room, &state));
	}
	free(work);
	free(bytes);
	return runs;
}

int main(int argc, char **argv)
{
	const struct target *t = NULL;
	unsigned changes = 0;
	unsigned long runs = 0;
	int arg = 2;

	sw_log_setup(SW_LOG_OFF, false, 2);
	for (int i = 0; i < TARGETS; i++) {
		if (argc < 2)
			puts(targets[i].name);
		else if (!strcmp(argv[1], targets[i].name))
			t = &targets[i];
	}
	if (argc < 2)
		return 0;
	if (!t) {
		fprintf(stderr, "replay: there is no target %s\n", argv[1]);
		return 2;
	}
	if (arg + 1 < argc && !strcmp(argv[arg], "-m")) {
		changes = (unsigned)strtoul(argv[arg + 1], NULL, 10);
		arg += 2;
	}
	for (; arg < argc; arg++)
		runs += run_file(t, argv[arg], changes);
	printf("%-10s %7lu inputs\n", t->name, runs);
	return 0;
}
