/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spillway/json.h"
#include "spillway/log.h"

static int ends[2];
static char line[8192];

static void open_log(bool json)
{
	cr_assert_eq(pipe(ends), 0);
	sw_log_setup(SW_LOG_DEBUG, json, ends[1]);
}

/* What one call wrote: one line, its newline cut off. */
static const char *written(void)
{
	ssize_t n = read(ends[0], line, sizeof(line) - 1);

	cr_assert_gt(n, 0);
	line[n] = 0;
	cr_assert_eq(strchr(line, '\n'), line + n - 1, "more or less than one line: %s", line);
	line[n - 1] = 0;
	return line;
}

static json_t *parsed(void)
{
	struct sw_err e;
	json_t *o;

	written();
	e = sw_json_parse(line, strlen(line), &o);
	cr_assert(!sw_failed(e), "%s in %s", e.text, line);
	return o;
}

/* Behind the time stamp of a text line. */
static const char *said(void)
{
	return written() + strlen("2026-11-23T17:20:00.123Z ");
}

Test(log, a_text_line_holds_level_room_message_and_fields)
{
	open_log(false);
	sw_log(WARN, "kube", "watch ended", "cluster=%s n=%d error=\"%s\"", "east", 5, "it said \"no\"\nand left");
	cr_assert_str_eq(said(), "WARN  kube: watch ended cluster=east n=5 error=\"it said \\\"no\\\"\\nand left\"");
	sw_log(INFO, "main", "ready");
	cr_assert_str_eq(said(), "INFO  main: ready");
	cr_assert_eq(line[10], 'T');
	cr_assert_eq(line[23], 'Z');
}

Test(log, a_json_line_holds_strings_and_numbers)
{
	json_t *o;

	open_log(true);
	sw_log(ERROR, "kube", "watch ended", "cluster=%s n=%d f=%.2f id=%s hex=%x", "east", -5, 1.5, "123", 255);
	o = parsed();
	cr_assert_str_eq(sw_json_str(o, "level"), "error");
	cr_assert_str_eq(sw_json_str(o, "room"), "kube");
	cr_assert_str_eq(sw_json_str(o, "msg"), "watch ended");
	cr_assert_str_eq(sw_json_str(o, "cluster"), "east");
	cr_assert_eq(sw_json_int(o, "n", 0), -5);
	cr_assert_str_eq(sw_json_str(o, "id"), "123", "a string of digits stays a string");
	cr_assert_str_eq(sw_json_str(o, "hex"), "ff");
	cr_assert(strstr(line, "\"f\":1.50"));
	json_object_put(o);
}

static const char *const hostile[] = {
	"east level=error",
	"\" level=\"error",
	"a\nlevel=error",
	"\x1elevel=error",
	"\x1flevel=1",
	"\x1e",
	"\"",
	"=",
	"",
	"\xFF\xFE",
	"\033[31m",
	"\\",
	"a\x1e"
	"b\x1f"
	"c=d",
};

Test(log, a_value_cannot_forge_a_field_or_a_line)
{
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		json_t *o;

		open_log(true);
		sw_log(INFO, "x", "m", "a=%s b=%d q=\"%s\"", hostile[i], 1, hostile[i]);
		o = parsed();
		cr_assert_str_eq(sw_json_str(o, "level"), "info", "row %zu: %s", i, line);
		cr_assert_eq(json_object_object_length(o), sw_json_at(o, "fields") ? 5 : 7, "row %zu: %s", i, line);
		json_object_put(o);
		close(ends[0]);
		close(ends[1]);
		open_log(false);
		sw_log(INFO, "x", "m", "a=%s b=%d", hostile[i], 1);
		written();
		cr_assert_null(strchr(line, '\033'), "no terminal codes from outside");
		close(ends[0]);
		close(ends[1]);
	}
}

Test(log, a_long_line_is_cut_and_stays_valid)
{
	char *big = malloc(20000);

	for (size_t n = 3900; n < 4200; n++) {
		json_t *o;

		memset(big, 'x', n);
		memcpy(big + n, "\xE2\x82\xAC\"\n", 6);
		open_log(true);
		sw_log(INFO, "x", "m", "a=\"%s\" tail=%d", big, 7);
		o = parsed();
		cr_assert_leq(strlen(line), 4095);
		cr_assert_not_null(sw_json_str(o, "a"));
		cr_assert((sw_json_int(o, "tail", 0) == 7) != sw_json_bool(o, "cut"), "%zu", n);
		json_object_put(o);
		open_log(false);
		sw_log(INFO, "x", "m", "a=%s tail=%d", big, 7);
		written();
		cr_assert_leq(strlen(line), 4095);
		cr_assert((strstr(line, " tail=7") != NULL) != (strstr(line, "... ...") || strstr(line, "\" ...")),
			  "%zu", n);
		for (int i = 0; i < 2; i++)
			close(ends[i]);
	}
	memset(big, 'y', 19999);
	big[19999] = 0;
	open_log(true);
	sw_log(INFO, "x", "m", "a=%s", big);
	json_object_put(parsed());
	free(big);
}

Test(log, free_text_is_a_field_of_its_own)
{
	json_t *o;

	open_log(true);
	sw_log(INFO, "x", "m", "took %d turns cluster=%s", 3, "e");
	o = parsed();
	cr_assert_str_eq(sw_json_str(o, "text"), "took 3 turns");
	cr_assert_str_eq(sw_json_str(o, "cluster"), "e");
	json_object_put(o);
}

Test(log, what_is_below_the_level_is_not_written)
{
	open_log(false);
	sw_log_setup(SW_LOG_WARN, false, ends[1]);
	cr_assert(!sw_log_on(SW_LOG_INFO));
	sw_log(INFO, "x", "quiet");
	sw_log_line(SW_LOG_DEBUG, "x", "quiet", "%s", "");
	sw_log(WARN, "x", "loud");
	cr_assert(strstr(written(), "loud"));
	sw_log_setup(SW_LOG_OFF, false, ends[1]);
	cr_assert(!sw_log_on(SW_LOG_ERROR));
	cr_assert(!sw_log_on(SW_LOG_OFF));
}

Test(log, level_names_are_read_and_others_refused)
{
	enum sw_log_level l;

	cr_assert(!sw_failed(sw_log_level_parse("warn", &l)));
	cr_assert_eq(l, SW_LOG_WARN);
	cr_assert(strstr(sw_log_level_parse("loud", &l).text, "found \"loud\", expected debug"));
	cr_assert(sw_failed(sw_log_level_parse("", &l)));
}

Test(log, a_secret_is_shown_as_its_fingerprint)
{
	char buf[16];

	cr_assert_str_eq(sw_log_secret("abc", buf), "sha256:ba7816bf");
	cr_assert_str_eq(sw_log_secret("", buf), "none");
	cr_assert_str_eq(sw_log_secret(NULL, buf), "none");
}
