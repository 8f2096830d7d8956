/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - what the verbs of `spillway policy` share */
#ifndef SPILLWAY_CLI_POLICY_H
#define SPILLWAY_CLI_POLICY_H

#include "cli.h"
#include "spillway/policy.h"

struct policy_args {
	const char *junit, *with, *catalog;
	bool verbose, json;
	struct sw_policy_limits limits;
};

/* Each runs one verb over its words and returns an exit code. */
int policy_test(const struct cli_command *self, const struct policy_args *a, int n, char **words);
int policy_replay(const struct cli_command *self, const struct policy_args *a, int n, char **words);
int policy_check(const struct cli_command *self, const struct policy_args *a, int n, char **words);

#endif
