/* SPDX-License-Identifier: Apache-2.0 */
/* candidates.c - the table of candidates and the lines around it, as `explain` and `plan` show them */
#include <stdlib.h>
#include <string.h>

#include "candidates.h"

void print_line(const char *label, const char *value)
{
	if (value && *value)
		printf("%s%-10s%s %s\n", cli_tone_on(stdout, CLI_BOLD), label, cli_tone_off(stdout), value);
}

/* "needs a, or b, or c": one clause a line, so that each can be read. */
void print_needs(json_t *x)
{
	json_t *needs = sw_json_key(x, "needs");
	for (size_t i = 0; i < sw_json_len(needs); i++)
		print_line(i ? "" : "To start", json_object_get_string(sw_json_idx(needs, i)));
}

/* The version that decided, and whether it still does. */
void print_policy(json_t *x)
{
	const char *name = sw_json_str(x, "policy"), *hash = sw_json_str(x, "policyHash"),
		   *decided = sw_json_str(x, "decidedBy");
	if (!name || !hash)
		return;
	char text[600];
	if (decided && strcmp(decided, hash) != 0)
		snprintf(text, sizeof text, "%.400s %s; this plan was decided by version %.16s", name, hash, decided);
	else
		snprintf(text, sizeof text, "%.400s %s", name, hash);
	print_line("Policy", text);
}

void print_candidates(json_t *list)
{
	static const struct cli_column cols[] = {
		{"CLUSTER", "cluster", false, CLI_PLAIN},   {"POOL", "pool", false, CLI_PLAIN},
		{"GPU", "model", false, CLI_PLAIN},         {"FREE", "freeOf", true, CLI_PLAIN},
		{"+NODES", "nodesNeeded", true, CLI_PLAIN}, {"$/H", "priceHour", true, CLI_MONEY},
		{"DATA $", "egressCost", true, CLI_MONEY},  {"START", "startMs", true, CLI_AGE_MS},
		{"SPOT", "spot", false, CLI_YESNO},         {"STEP", "step", true, CLI_PLAIN},
		{"VERDICT", "verdict", false, CLI_STATE},   {"WHY", "reason", false, CLI_LONG},
	};
	enum { N_COLS = sizeof cols / sizeof *cols };
	struct cli_column shown[N_COLS];
	size_t n = 0;
	bool data = false;                 /* somewhere reading the job's data costs something, or nobody knows */
	json_t *rows = sw_json_copy(list); /* with what only people want to see */
	for (size_t i = 0; i < sw_json_len(rows); i++) {
		json_t *row = sw_json_idx(rows, i);
		json_t *egress = sw_json_key(row, "egressCost");
		data |= !egress || json_object_get_double(egress) > 0;
		int64_t start = sw_json_int(row, "expectedStartSeconds", -1);
		char text[64];
		snprintf(text, sizeof text, "%lld/%lld", (long long)sw_json_int(row, "free", 0),
			 (long long)sw_json_int(row, "total", 0));
		sw_json_set_str(row, "freeOf", text);
		if (start >= 0)
			sw_json_set_int(row, "startMs", start * 1000);
	}
	for (size_t i = 0; i < N_COLS; i++)
		if (data || strcmp(cols[i].path, "egressCost") != 0)
			shown[n++] = cols[i];
	cli_print_table(stdout, shown, n, rows);
	json_object_put(rows);
}
