/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "spillway/err.h"

Test(err, ok_is_not_a_failure_and_wrapping_it_changes_nothing)
{
	struct sw_err e = sw_err_wrap(SW_OK, "cluster %s", "a");

	cr_assert(!sw_failed(e));
	cr_assert_str_eq(e.text, "");
}

Test(err, wrapping_keeps_the_code_and_puts_the_place_in_front)
{
	struct sw_err e = sw_err_wrap(sw_err(SW_E_GONE, "too old: %d", 7), "cluster %s", "east");

	cr_assert_eq(e.code, SW_E_GONE);
	cr_assert_str_eq(e.text, "cluster east: too old: 7");
}

Test(err, a_long_text_is_cut_with_dots_and_never_inside_a_character)
{
	char big[2000];
	struct sw_err e;
	size_t n;

	for (size_t shift = 0; shift < 3; shift++) {
		memset(big, 'x', shift);
		for (n = shift; n + 3 < sizeof(big); n += 3)
			memcpy(big + n, "\xE2\x82\xAC", 3);
		big[n] = 0;
		e = sw_err(SW_E_IO, "%s", big);
		n = strlen(e.text);
		cr_assert_lt(n, sizeof(e.text));
		cr_assert_str_eq(e.text + n - 3, "...");
		cr_assert_eq((n - 3 - shift) % 3, 0, "a euro sign was cut in half");
		e = sw_err_wrap(e, "%s", big);
		cr_assert_lt(strlen(e.text), sizeof(e.text));
		e = sw_err_wrap(e, "near %s", "here");
		cr_assert_eq(strncmp(e.text, "near here: ", 11), 0);
		cr_assert_str_eq(e.text + strlen(e.text) - 3, "...");
	}
}

Test(err, a_text_that_just_fits_is_not_cut)
{
	char exact[380];

	memset(exact, 'a', sizeof(exact) - 1);
	exact[sizeof(exact) - 1] = 0;
	cr_assert_str_eq(sw_err(SW_E_IO, "%s", exact).text, exact);
}

static const struct {
	long status;
	const char *reason;
	enum sw_code code;
} replies[] = {
	{200, NULL, SW_E_OK},
	{201, "", SW_E_OK},
	{302, NULL, SW_E_UNSUPPORTED},
	{400, "BadRequest", SW_E_INVALID},
	{401, NULL, SW_E_AUTH},
	{403, NULL, SW_E_FORBIDDEN},
	{404, NULL, SW_E_MISSING},
	{409, NULL, SW_E_CONFLICT},
	{409, "Conflict", SW_E_CONFLICT},
	{409, "AlreadyExists", SW_E_EXISTS},
	{410, "Expired", SW_E_GONE},
	{413, NULL, SW_E_TOOBIG},
	{415, NULL, SW_E_UNSUPPORTED},
	{418, NULL, SW_E_INVALID},
	{422, "Invalid", SW_E_INVALID},
	{429, NULL, SW_E_BUSY},
	{500, NULL, SW_E_BUSY},
	{503, NULL, SW_E_BUSY},
	{504, NULL, SW_E_TIMEOUT},
	{0, NULL, SW_E_NET},
	{-1, NULL, SW_E_NET},
	{99999, NULL, SW_E_NET},
};

Test(err, http_status_and_reason_give_the_code)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct sw_err e = sw_err_http(replies[i].status, replies[i].reason, "said %s so");

		cr_assert_eq(e.code, replies[i].code, "status %ld gave %s", replies[i].status, sw_code_name(e.code));
		cr_assert(!sw_failed(e) || strstr(e.text, "said %s so"), "the message is quoted, not formatted: %s",
			  e.text);
	}
}

Test(err, every_code_has_a_name_and_what_is_out_of_range_has_none)
{
	for (int c = 0; c < SW_E__COUNT; c++)
		cr_assert_str_neq(sw_code_name((enum sw_code)c), "?");
	cr_assert_str_eq(sw_code_name(SW_E__COUNT), "?");
	cr_assert_eq(sw_err_retry(SW_E_CONFLICT), SW_RETRY_NOW);
	cr_assert_eq(sw_err_retry(SW_E_INVALID), SW_RETRY_TERMINAL);
	cr_assert_eq(sw_err_retry((enum sw_code) - 1), SW_RETRY_NONE);
}

static const char *const names[] = {"replicas", "template", "selector", "parallelism", "H100",
				    "A100",     "V100",     "T4",       "L4"};

static const struct {
	const char *found, *near;
} guesses[] = {
	{"replcias", "replicas"},
	{"Replicas", "replicas"},
	{"paralelism", "parallelism"},
	{"selectro", "selector"},
	{"h100", "H100"},
	{"H10", "H100"},
	{"T5", "T4"},
	{"banana", NULL},
	{"", NULL},
	{"x", NULL},
	{"qq", NULL},
};

Test(err, the_nearest_name_is_suggested_only_when_it_is_near)
{
	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		const char *near = sw_nearest(guesses[i].found, names, sizeof(names) / sizeof(names[0]));

		if (guesses[i].near)
			cr_assert(near && !strcmp(near, guesses[i].near), "%s gave %s", guesses[i].found,
				  near ? near : "nothing");
		else
			cr_assert_null(near, "%s gave %s", guesses[i].found, near);
	}
	cr_assert_null(sw_nearest(NULL, names, 2));
	cr_assert_null(sw_nearest("a", NULL, 0));
}

Test(err, very_long_names_are_left_out_of_the_search)
{
	char big[1000];
	const char *const one[] = {big};

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	cr_assert_null(sw_nearest(big, names, 9));
	cr_assert_null(sw_nearest("aaaa", one, 1));
}
