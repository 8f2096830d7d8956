/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "spillway/config.h"
#include "spillway/kinds.h"

#define FLOW                                                                                                           \
	"- api_version: example.org/v1\n  kind: Flow\n  plural: flows\n  suspend: spec.suspend\n"                      \
	"  managed_by: spec.managedBy\n  pod_sets:\n  - name: main\n    template: spec.template\n"                     \
	"  status:\n    succeeded: Complete\n    failed: Failed\n    active: status.active\n"

Test(config_kinds, declared_kinds_are_rows_of_their_own)
{
	static const char text[] = "kinds:\n" FLOW;
	struct sw_config *c;
	struct sw_err e = sw_config_parse("s.yaml", text, sizeof text - 1, &c);

	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert_eq(c->n_kinds, 1);
	cr_expect_str_eq(c->kinds[0]->resource, "flows.example.org");
	sw_config_free(c);
}

static const struct {
	const char *text, *says;
} bad[] = {
	{"kinds: {}\n", "s.yaml:1:1: kinds: expected a list"},
	{"kinds: [7]\n", "kinds: expected a map"},
	{"kinds:\n" FLOW "    activ: 1\n", "s.yaml:14:5: kinds: status has no \"activ\", did you mean \"active\"?"},
	{"kinds:\n- api_version: example.org/v1\n  kind: flow\n", "s.yaml:3:3: kinds: kind: found \"flow\""},
	{"kinds:\n" FLOW FLOW, "s.yaml:15:3: kinds: kind: example.org/v1 Flow (flows) is known already"},
	{"kinds:\n- api_version: example.org/v1\n  kind: Flow\n  plural: flows\n",
	 "s.yaml:2:3: kinds: suspend: found nothing"},
	{"kinds: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\n", "s.yaml:1:1: kinds: found 17, expected at most 16"},
};

Test(config_kinds, a_wrong_declaration_is_shown_at_its_place)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sw_config *c;
		struct sw_err e = sw_config_parse("s.yaml", bad[i].text, strlen(bad[i].text), &c);

		cr_expect_eq(e.code, SW_E_INVALID, "%s", bad[i].text);
		cr_expect(strstr(e.text, bad[i].says) != NULL, "%s: %s", bad[i].text, e.text);
		cr_expect_null(c);
	}
}
