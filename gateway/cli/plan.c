/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - `spillway plan -f FILE`: where its jobs would go, at what price, and when; changes nothing */
#include <stdlib.h>
#include <string.h>

#include "candidates.h"
#include "spillway/kinds.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

static void print_choice(json_t *x)
{
	json_t *choice = sw_json_key(x, "choice"), *price = sw_json_key(choice, "priceHour");
	const char *reason = sw_json_str(x, "reason"), *error = sw_json_str(x, "error");
	int64_t start = sw_json_int(choice, "expectedStartSeconds", -1);
	char text[700], cost[64] = "price unknown", when[64] = "start unknown", age[32];
	if (!choice) {
		snprintf(text, sizeof text, "%s%.400s",
			 error    ? "the policy failed: "
			 : reason ? "not now: "
				  : "nowhere now",
			 error    ? error
			 : reason ? reason
				  : "");
		print_line("Would go", text);
		return;
	}
	if (price)
		snprintf(cost, sizeof cost, "$%.2f per hour", json_object_get_double(price));
	if (sw_json_bool(choice, "now"))
		snprintf(when, sizeof when, "starts at once");
	else if (start >= 0)
		snprintf(when, sizeof when, "starts in about %s", sw_age_text(start * 1000, age));
	snprintf(text, sizeof text, "%.200s/%.200s, %s, %s", sw_json_str(choice, "cluster"),
		 sw_json_str(choice, "pool"), cost, when);
	print_line("Would go", text);
	print_line("Because", reason);
}

/* "1. onprem/v100 for 10m" */
static void print_steps(json_t *steps)
{
	for (size_t i = 0; i < sw_json_len(steps); i++) {
		json_t *step = sw_json_idx(steps, i), *places = sw_json_key(step, "candidates");
		struct sw_buf b;
		char age[32];
		sw_buf_init(&b, 64 << 10);
		sw_buf_printf(&b, "%zu. ", i + 1);
		for (size_t k = 0; k < sw_json_len(places); k++)
			sw_buf_printf(&b, "%s%s/%s", k ? ", " : "", sw_json_str(sw_json_idx(places, k), "cluster"),
				      sw_json_str(sw_json_idx(places, k), "pool"));
		sw_buf_printf(&b, " for %s", sw_age_text(sw_json_int(step, "patienceSeconds", 0) * 1000, age));
		print_line(i ? "" : "Steps", b.at);
		sw_buf_fini(&b);
	}
}

static void print_people(json_t *x)
{
	print_line("Job", sw_json_str(x, "job"));
	print_line("Queue", sw_json_str(x, "queue"));
	print_line("", sw_json_str(x, "queueWhy"));
	print_line("Asks for", sw_json_str(x, "demand"));
	print_choice(x);
	print_steps(sw_json_key(x, "steps"));
	print_needs(x);
	print_policy(x);
	if (sw_json_len(sw_json_key(x, "candidates"))) {
		printf("\n");
		print_candidates(sw_json_key(x, "candidates"));
	}
}

/* Checked and defaulted by the gateway as a submission would be, then asked about. */
static struct sw_err ask_one(struct cli_client *c, json_t *object, json_t **out)
{
	json_t *job;
	*out = NULL;
	struct sw_err e = cli_apply(c, object, true, &job);
	if (sw_failed(e))
		return e;
	e = cli_client_call(c, "POST", "/spillway/v1/plan", NULL, job, out);
	json_object_put(job);
	return e;
}

static struct sw_err ask_all(struct cli_client *c, const struct sw_yaml *y, json_t *answers)
{
	for (size_t i = 0; i < sw_yaml_docs(y); i++) {
		json_t *object = sw_yaml_doc(y, i), *x;
		if (!sw_kind_of(object))
			continue; /* a ConfigMap beside the job, say */
		struct sw_err e = ask_one(c, object, &x);
		if (sw_failed(e))
			return e;
		json_object_array_add(answers, x);
	}
	return SW_OK;
}

static int plan(const struct cli_command *self, const struct cli_common *o, const struct sw_yaml *y, bool json)
{
	struct cli_client c;
	json_t *answers = json_object_new_array();
	struct sw_err e = cli_client_open(o->kubeconfig, o->ns, &c);
	if (!sw_failed(e)) {
		e = ask_all(&c, y, answers);
		cli_client_close(&c);
	}
	int rc = sw_failed(e) ? cli_fail(self, "%s", e.text) : CLI_OK;
	size_t n = sw_json_len(answers);
	if (rc == CLI_OK && !n)
		rc = cli_fail(self, "no object in it is a job");
	if (rc == CLI_OK && json)
		cli_print_json(stdout, answers);
	for (size_t i = 0; rc == CLI_OK && !json && i < n; i++) {
		if (i)
			printf("\n");
		print_people(sw_json_idx(answers, i));
	}
	json_object_put(answers);
	return rc;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct cli_common o = {0};
	const char *file = NULL;
	int words;
	bool json;
	struct sw_yaml *y;
	const struct cli_option options[] = {
		{"filename", 'f', "FILE", "manifest with jobs; - reads standard input", &file, NULL},
		CLI_COMMON_OPTIONS(&o),
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, o.output, &json))
		return CLI_USAGE;
	if (words || !file)
		return cli_misuse(self, "expected -f FILE");
	struct sw_err e = cli_manifest(file, &y);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	int rc = plan(self, &o, y, json);
	sw_yaml_free(y);
	return rc;
}

const struct cli_command cli_plan = {
	.name = "plan",
	.usage = "-f FILE [-n NAMESPACE] [-o json]",
	.summary = "Show where a job would run, at what price and when, before it is submitted",
	.details = "Changes nothing. The job is checked as a submission would be; clusters, prices and policy are "
		   "those of "
		   "this moment.\n-o json prints a list, one answer for each job of the file.",
	.examples = "  spillway plan -f config/samples/03-pytorch-h100.yaml\n  spillway plan -f train.yaml -o json\n",
	.run = run,
};
