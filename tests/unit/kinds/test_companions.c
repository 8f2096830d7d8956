/* SPDX-License-Identifier: Apache-2.0 */
/* test_companions.c - the annotation that names what is sent along with a job */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "spillway/companions.h"
#include "spillway/text.h"

static const struct row {
	const char *value, *found; /* found NULL: refused */
} rows[] = {
	{"", ""},
	{" , ", ""},
	{"secret/pull", "secret/pull "},
	{"secret/pull,configmap/a.b-c", "secret/pull configmap/a.b-c "},
	{"  secret/pull ,  configmap/params ", "secret/pull configmap/params "},
	{"secret", NULL},
	{"secret/", NULL},
	{"secret/Upper", NULL},
	{"secrets/pull", NULL},
	{"pod/x", NULL},
	{"secret/../x", NULL},
	{"secret/a/b", NULL},
	{"secret/a;configmap/b", NULL},
	{"secret/ok,nonsense", NULL},
};

Test(companions, are_read_strictly)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *job = json_object_new_object();
		struct sw_companions c;
		char found[200] = "";

		sw_json_set_annotation(job, SW_ANN_COMPANIONS, rows[i].value);
		struct sw_err e = sw_companions_read(job, &c);
		for (size_t k = 0; k < c.n; k++)
			snprintf(found + strlen(found), sizeof found - strlen(found), "%s/%s ",
				 sw_companion_word(c.at[k].kind), c.at[k].name);
		cr_expect_eq(sw_failed(e), rows[i].found == NULL, "\"%s\": %s", rows[i].value, e.text);
		cr_expect_str_eq(found, rows[i].found ? rows[i].found : "", "\"%s\"", rows[i].value);
		if (sw_failed(e))
			cr_expect(strstr(e.text, "metadata.annotations[spillway.dev/companions]") &&
					  strstr(e.text, "expected"),
				  "%s", e.text);
		json_object_put(job);
	}
}

Test(companions, too_many_or_too_long_are_refused)
{
	char many[800] = "", longer[400] = "secret/";
	json_t *job = json_object_new_object();
	struct sw_companions c;

	for (int i = 0; i <= SW_COMPANIONS_MAX; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), "secret/s%d,", i);
	sw_json_set_annotation(job, SW_ANN_COMPANIONS, many);
	cr_expect_eq(sw_companions_read(job, &c).code, SW_E_INVALID);
	memset(longer + 7, 'a', 300);
	sw_json_set_annotation(job, SW_ANN_COMPANIONS, longer);
	cr_expect_eq(sw_companions_read(job, &c).code, SW_E_INVALID);
	cr_expect_eq(c.n, 0);
	json_object_put(job);
}
