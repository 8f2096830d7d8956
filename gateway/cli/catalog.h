/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.h - what the files behind `spillway catalog` share */
#ifndef SPILLWAY_CLI_CATALOG_H
#define SPILLWAY_CLI_CATALOG_H

#include "cli.h"
#include "spillway/catalog.h"
#include "spillway/config.h"

struct catalog_args {
	const char *gpu, *region;
	bool json;
	int64_t now_ms, max_age_ms;
	const struct sw_config *config; /* NULL: none was given */
};

int catalog_check(const struct cli_command *self, const struct catalog_args *a, const struct sw_catalog *c);

#endif
