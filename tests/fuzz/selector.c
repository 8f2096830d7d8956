/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector.c - label and field selectors from a query, matched with an object
 *
 * Parts: label selector, field selector, object (or LabelSelector).
 */
#include "fuzz.h"
#include "spillway/selector.h"

/* A refusal is a Status with a message. */
static bool refused(json_t *status, const struct sw_selector *s)
{
	if (!status)
		return false;
	FUZZ_CHECK(s == NULL && sw_json_str(status, "message") && sw_json_int(status, "code", 0) >= 400);
	json_object_put(status);
	return true;
}

static void fields(const char *text, json_t *o)
{
	static const char *const ids[] = {"pods", "jobs.batch", "events"};

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		struct sw_selector *s = NULL;
		const struct sw_resource *r = sw_resource_by_id(ids[i]);

		FUZZ_CHECK(r != NULL);
		if (refused(sw_field_selector_parse(r, text, &s), s))
			continue;
		sw_selector_match(s, o);
		FUZZ_CHECK(!sw_selector_only(s, "metadata.name") || sw_selector_exact(s, "metadata.name"));
		sw_selector_free(s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	json_t *o = fuzz_object(&p, 2);
	struct sw_selector *s = NULL;

	if (!refused(sw_label_selector_parse(p.at[0], &s), s)) {
		sw_selector_match(s, o);
		sw_selector_free(s);
	}
	s = NULL;
	if (!refused(sw_label_selector_object(o, &s), s)) {
		sw_selector_match(s, o);
		sw_selector_free(s);
	}
	fields(p.at[1], o);
	json_object_put(o);
	fuzz_parts_free(&p);
	return 0;
}
