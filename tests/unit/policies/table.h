/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - a small question for tests of policies: one workload, four candidates */
#ifndef SPILLWAY_TESTS_POLICIES_TABLE_H
#define SPILLWAY_TESTS_POLICIES_TABLE_H

#include "spillway/policy.h"

struct question {
	struct sw_demand demand;
	struct sw_gpu h100;
	struct sw_candidate c[4];
	struct sw_policy_label labels[2];
	struct sw_policy_attempt attempts[1];
	struct sw_policy_input in;
};
/* in points into q: do not copy. */
void question_fill(struct question *q);
struct sw_policy *policy_of(const char *src); /* "t.lua", default limits; asserts that it compiles */

#endif
