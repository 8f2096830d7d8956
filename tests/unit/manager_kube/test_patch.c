/* SPDX-License-Identifier: Apache-2.0 */
/* test_patch.c - what earlier attempts counted, kept behind the check's message */
#include "../../../gateway/manager/kube/mirror_priv.h"
#include "mirror_test.h"

static const struct {
	const char *message, *sentence, *base; /* base NULL: none */
} messages[] = {
	{"", "", NULL},
	{"placed on a", "placed on a", NULL},
	{"x [base {'failed':2}]", "x", "{'failed':2}"},
	{" [base {'failed':2}]", "", "{'failed':2}"},
	{"a [base {'failed':1}] b [base {'failed':2}]", "a [base {'failed':1}] b", "{'failed':2}"},
	{"x [base [1]]", "x [base [1]]", NULL},
	{"x [base {'failed':2}", "x [base {'failed':2}", NULL},
	{"x [base {'failed':2}] and more", "x [base {'failed':2}] and more", NULL},
	{"x [base ]", "x [base ]", NULL},
	{"x [base {\"]", "x [base {\"]", NULL},
	{"[base {'failed':2}]", "[base {'failed':2}]", NULL},
};

static char *quoted(const char *single)
{
	char *text = sw_strdup(single);

	for (char *p = text; (p = strchr(p, '\''));)
		*p = '"';
	return text;
}

Test(patch, the_base_is_cut_off_a_message_and_nothing_else_is)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		char *message = quoted(messages[i].message), *sentence = quoted(messages[i].sentence),
		     *expected = messages[i].base ? quoted(messages[i].base) : NULL, *base = message_split(message);

		cr_expect_str_eq(message, sentence, "row %zu", i);
		cr_expect((base && expected && strcmp(base, expected) == 0) || (!base && !expected), "row %zu: %s", i,
			  base ? base : "none");
		free(message);
		free(sentence);
		free(expected);
		free(base);
	}
	cr_expect_null(message_split(NULL));
}

static const struct {
	const char *status, *base;
} statuses[] = {
	{"{}", NULL},
	{"{'active':3,'ready':2,'startTime':'x'}", NULL},
	{"{'failed':2,'succeeded':0,'active':1}", "{'failed':2}"},
	{"{'replicaStatuses':{'Master':{'active':1},'Worker':{'failed':1,'active':2}}}",
	 "{'replicaStatuses':{'Worker':{'failed':1}}}"},
	{"{'a':{'b':{'c':{'d':{'e':1}}}}}", NULL},
	{"{'failed':-1,'conditions':[{'n':3}],'x':1.5,'y':true,'z':null}", NULL},
};

Test(patch, a_base_holds_counters_only)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		json_t *status = json_of(statuses[i].status), *base = status_base(status),
		       *expected = statuses[i].base ? json_of(statuses[i].base) : NULL;

		cr_expect(json_object_equal(base, expected), "row %zu: %s", i, json_object_to_json_string(base));
		json_object_put(status);
		json_object_put(base);
		json_object_put(expected);
	}
}

Test(patch, an_idle_status_stays_as_it_is)
{
	static const char *const rows[] = {"{}", "{'active':2,'ready':1,'startTime':'x','failed':3}",
					   "{'conditions':[{'type':'Suspended','status':'False'}]}"};
	const struct sw_kind *k = sw_kind_find("jobs.batch");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *once = json_of(rows[i]);

		status_idle(k, once, "2026-11-23T10:00:00Z");
		json_t *twice = sw_json_copy(once);

		status_idle(k, twice, "2026-11-23T11:00:00Z");
		cr_expect(json_object_equal(once, twice), "row %zu: %s", i, json_object_to_json_string(twice));
		cr_expect_eq(sw_json_int(once, "active", 0), 0, "row %zu", i);
		cr_expect_null(sw_json_key(once, "startTime"), "row %zu", i);
		json_object_put(once);
		json_object_put(twice);
	}
}
