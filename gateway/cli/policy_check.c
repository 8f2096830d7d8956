/* SPDX-License-Identifier: Apache-2.0 */
/* policy_check.c - `spillway policy check`: compiles, and calls with made-up inputs */
#include <string.h>

#include "policy.h"
#include "spillway/text.h"

enum { SHOWN = 5 };

struct checking {
	json_t *problems; /* of all files: {policy, input, error} */
	const char *name;
	char last[sizeof((struct sw_err *)0)->text]; /* one mistake shows in many calls: it is told once in a row */
	int calls, failed, shown;
	bool json;
};

static void on_call(void *owner, const char *what, struct sw_err err)
{
	struct checking *c = owner;
	c->calls++;
	if (!sw_failed(err))
		return;
	json_t *row = json_object_new_object();
	sw_json_set_str(row, "policy", c->name);
	sw_json_set_str(row, "input", what);
	sw_json_set_str(row, "error", err.text);
	json_object_array_add(c->problems, row);
	c->failed++;
	if (c->json || c->shown >= SHOWN || strcmp(c->last, err.text) == 0)
		return;
	c->shown++;
	sw_cut(c->last, sizeof c->last, err.text);
	printf("  %sFAIL%s  %s\n        %s\n", cli_tone_on(stdout, CLI_BAD), cli_tone_off(stdout), what, err.text);
}

static bool check_one(struct checking *c, const struct policy_args *a, const char *word)
{
	struct sw_policy_text t;
	struct sw_err e = sw_policy_text_read(word, &t);
	int before = c->failed;
	c->name = sw_failed(e) ? word : t.name;
	c->calls = c->shown = 0;
	*c->last = '\0';
	if (!sw_failed(e))
		e = sw_policy_check(&(struct sw_policy_source){t.name, t.src, t.len}, a->limits, on_call, c);
	if (sw_failed(e))
		on_call(c, "it can be read and compiled", e);
	int bad = c->failed - before;
	if (!a->json && bad)
		printf("%s%s%s: %d of %d calls failed\n", cli_tone_on(stdout, CLI_BAD), c->name, cli_tone_off(stdout),
		       bad, c->calls);
	else if (!a->json)
		printf("%s: good: compiles, and answers all of %d calls with made-up inputs\n", c->name, c->calls);
	c->name = NULL;
	sw_policy_text_free(&t);
	return !bad;
}

int policy_check(const struct cli_command *self, const struct policy_args *a, int n, char **words)
{
	struct checking c = {.problems = json_object_new_array(), .json = a->json};
	bool good = true;
	if (!n) {
		json_object_put(c.problems);
		return cli_misuse(self, "check needs a policy: a .lua file, or the name of a shipped one");
	}
	for (int i = 0; i < n; i++)
		good &= check_one(&c, a, words[i]);
	if (a->json)
		cli_print_json(stdout, c.problems);
	json_object_put(c.problems);
	return good ? CLI_OK : CLI_FAILED;
}
