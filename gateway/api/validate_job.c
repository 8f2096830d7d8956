/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_job.c - batch/v1 Job: numbers, completion modes, selector and labels, what may not change
 *
 * Source of rules and words: k8s.io/kubernetes v1.36.1 pkg/apis/batch/validation/validation.go,
 * pkg/registry/batch/job/strategy.go.
 */
#include <stdio.h>
#include <string.h>
#include "check_priv.h"
#include "spillway/selector.h"
#include "spillway/text.h"

enum {
	PARALLELISM_INDEXED_MAX = 100000,
	FAILED_INDEXES_MAX = 100000,
	COMPLETIONS_SOFT = 100000,
	PARALLELISM_HIGH_MAX = 10000,
	FAILED_INDEXES_HIGH_MAX = 10000,
	MANAGED_BY_MAX = 63
};

struct job_numbers {
	json_t *completions, *parallelism, *per_index, *max_failed;
	bool indexed;
};

static int64_t number(json_t *v)
{
	return v ? json_object_get_int64(v) : 0;
}

static void check_high_completions(struct check *c, const struct step *spec, const struct job_numbers *n)
{
	if (number(n->completions) <= COMPLETIONS_SOFT || !n->per_index)
		return;
	if (!n->max_failed)
		check_required(c, AT_FIELD(spec, "maxFailedIndexes"),
			       "must be specified when completions is above 100000");
	if (number(n->parallelism) > PARALLELISM_HIGH_MAX)
		check_invalid(c, AT_FIELD(spec, "parallelism"), n->parallelism,
			      "must be less than or equal to %d when completions are above "
			      "%d and used with backoff limit per index",
			      PARALLELISM_HIGH_MAX, COMPLETIONS_SOFT);
	if (number(n->max_failed) > FAILED_INDEXES_HIGH_MAX)
		check_invalid(c, AT_FIELD(spec, "maxFailedIndexes"), n->max_failed,
			      "must be less than or equal to %d when completions are "
			      "above %d and used with backoff limit per index",
			      FAILED_INDEXES_HIGH_MAX, COMPLETIONS_SOFT);
}

static void check_indexed(struct check *c, const struct step *spec, const struct job_numbers *n)
{
	if (!n->completions)
		check_required(c, AT_FIELD(spec, "completions"), "when completion mode is Indexed");
	if (number(n->parallelism) > PARALLELISM_INDEXED_MAX)
		check_invalid(c, AT_FIELD(spec, "parallelism"), n->parallelism,
			      "must be less than or equal to %d when completion mode is Indexed",
			      PARALLELISM_INDEXED_MAX);
	if (n->completions && n->max_failed && number(n->max_failed) > number(n->completions))
		check_invalid(c, AT_FIELD(spec, "maxFailedIndexes"), n->max_failed,
			      "must be less than or equal to completions");
	if (number(n->max_failed) > FAILED_INDEXES_MAX)
		check_invalid(c, AT_FIELD(spec, "maxFailedIndexes"), n->max_failed, "must be less than or equal to %d",
			      FAILED_INDEXES_MAX);
	check_high_completions(c, spec, n);
}

static void check_not_indexed(struct check *c, const struct step *spec, const struct job_numbers *n,
			      json_t *success_policy)
{
	if (n->per_index)
		check_invalid(c, AT_FIELD(spec, "backoffLimitPerIndex"), n->per_index,
			      "requires indexed completion mode");
	if (n->max_failed)
		check_invalid(c, AT_FIELD(spec, "maxFailedIndexes"), n->max_failed, "requires indexed completion mode");
	if (success_policy)
		check_invalid(c, AT_FIELD(spec, "successPolicy"), success_policy, "requires indexed completion mode");
}

static void check_numbers(struct check *c, const struct step *spec, json_t *s)
{
	static const char *const not_negative[] = {"parallelism",
						   "completions",
						   "activeDeadlineSeconds",
						   "backoffLimit",
						   "ttlSecondsAfterFinished",
						   "backoffLimitPerIndex",
						   "maxFailedIndexes"};
	struct job_numbers n = {
		.completions = sw_json_key(s, "completions"),
		.parallelism = sw_json_key(s, "parallelism"),
		.per_index = sw_json_key(s, "backoffLimitPerIndex"),
		.max_failed = sw_json_key(s, "maxFailedIndexes"),
		.indexed = text_is(sw_json_key(s, "completionMode"), "Indexed"),
	};

	for (size_t i = 0; i < sizeof(not_negative) / sizeof(not_negative[0]); i++)
		check_not_negative(c, spec, s, not_negative[i]);
	if (n.max_failed && !n.per_index)
		check_required(c, AT_FIELD(spec, "backoffLimitPerIndex"), "when maxFailedIndexes is specified");
	if (n.indexed)
		check_indexed(c, spec, &n);
	else
		check_not_indexed(c, spec, &n, sw_json_key(s, "successPolicy"));
}

static void check_restart_policy(struct check *c, const struct step *spec, json_t *s)
{
	static const char *const words[] = {"OnFailure", "Never"};
	json_t *v = sw_json_at(s, "template.spec.restartPolicy");
	const struct step *at = AT_FIELD(AT_FIELD(AT_FIELD(spec, "template"), "spec"), "restartPolicy");

	if (!v || text_is(v, "") || text_is(v, "Always"))
		check_required(c, at, "valid values: \"OnFailure\", \"Never\"");
	else if (!text_is(v, "OnFailure") && !text_is(v, "Never"))
		check_not_supported(c, at, v, words, 2);
	else if (sw_json_key(s, "podFailurePolicy") && !text_is(v, "Never"))
		check_invalid(c, at, v, "only \"Never\" is supported when podFailurePolicy is specified");
}

static void check_managed_by(struct check *c, const struct step *spec, json_t *v)
{
	const struct step *at = AT_FIELD(spec, "managedBy");
	char path[PATH_MAX_BYTES];
	const char *s;

	if (!v)
		return;
	s = json_object_get_string(v);
	if (!strchr(s, '/') || !sw_is_label_key(s))
		check_invalid(c, at, v, "must be a domain-prefixed path (such as \"acme.io/foo\")");
	if (strlen(s) > MANAGED_BY_MAX)
		sw_cause_too_long(&c->causes, step_path(at, PATH_BRACKETS, path), v, "may not be more than %d bytes",
				  MANAGED_BY_MAX);
}

/* The selector must find the pods: made by us from the uid, or, with manualSelector, by the user. */
static void check_selector(struct check *c, const struct step *spec, json_t *s)
{
	json_t *selector = sw_json_key(s, "selector"), *no, *pod;
	struct sw_selector *parsed = NULL;

	if (!selector) {
		check_required(c, AT_FIELD(spec, "selector"), "");
		return;
	}
	no = sw_label_selector_object(selector, &parsed);
	if (no) {
		check_invalid(c, AT_FIELD(spec, "selector"), selector, "%s", sw_status_message(no));
		json_object_put(no);
		return;
	}
	pod = sw_json_key(s, "template");
	if (!sw_selector_match(parsed, pod))
		check_invalid(c, AT_FIELD(AT_FIELD(AT_FIELD(spec, "template"), "metadata"), "labels"),
			      sw_json_at(pod, "metadata.labels"), "`selector` does not match template `labels`");
	sw_selector_free(parsed);
}

static void check_generated_labels(struct check *c, const struct step *spec, json_t *o, json_t *s)
{
	static const struct {
		const char *label, *from;
	} generated[] = {
		{"controller-uid", "metadata.uid"},
		{"job-name", "metadata.name"},
		{"batch.kubernetes.io/controller-uid", "metadata.uid"},
		{"batch.kubernetes.io/job-name", "metadata.name"},
	};
	const struct step *labels = AT_FIELD(AT_FIELD(AT_FIELD(spec, "template"), "metadata"), "labels");

	if (sw_json_bool(s, "manualSelector"))
		return;
	for (size_t i = 0; i < sizeof(generated) / sizeof(generated[0]); i++) {
		const char *expected = sw_json_str(o, generated[i].from);
		json_t *v = sw_json_key(sw_json_at(s, "template.metadata.labels"), generated[i].label);

		if (v && expected && !text_is(v, expected))
			check_invalid(c, AT_KEY(labels, generated[i].label), v, "must be '%s'", expected);
	}
}

/* Pods of an indexed job are called NAME-INDEX, and that must be a DNS label. */
static void check_indexed_name(struct check *c, json_t *o, json_t *s)
{
	long long last = (long long)sw_json_int(s, "completions", 0) - 1;
	json_t *name = sw_json_at(o, "metadata.name");
	char host[320];

	if (last < 0 || !name || !text_is(sw_json_key(s, "completionMode"), "Indexed"))
		return;
	snprintf(host, sizeof(host), "%.253s-%lld", json_object_get_string(name), last);
	if (!sw_is_dns_label(host))
		check_invalid(c, AT_FIELD(AT_FIELD(NULL, "metadata"), "name"), name,
			      "will not able to create pod with invalid DNS label: %s", host);
}

/* ---- updates ----------------------------------------------------------------------------------- */

/* While a job is suspended and has never started, a queue may still say where its pods go and how large they are. */
static json_t *template_frozen_part(json_t *template, bool loose)
{
	static const char *const spec_loose[] = {"nodeSelector", "tolerations", "schedulingGates"};
	json_t *copy = sw_json_copy(template), *spec = sw_json_key(copy, "spec"), *affinity, *containers;

	if (!loose || !spec)
		return copy;
	json_object_object_del(copy, "metadata");
	for (size_t i = 0; i < sizeof(spec_loose) / sizeof(spec_loose[0]); i++)
		json_object_object_del(spec, spec_loose[i]);
	affinity = sw_json_key(spec, "affinity");
	if (affinity) {
		json_object_object_del(affinity, "nodeAffinity");
		if (json_object_object_length(affinity) == 0)
			json_object_object_del(spec, "affinity");
	}
	for (int init = 0; init < 2; init++) {
		containers = sw_json_key(spec, init ? "initContainers" : "containers");
		for (size_t i = 0; i < sw_json_len(containers); i++)
			json_object_object_del(sw_json_idx(containers, i), "resources");
	}
	return copy;
}

static void check_template_update(struct check *c, const struct step *spec, json_t *s, json_t *old)
{
	bool loose = sw_json_bool(old, "spec.suspend") && !sw_json_str(old, "status.startTime");
	json_t *a = sw_json_key(s, "template"), *b = sw_json_at(old, "spec.template"), *fa, *fb;

	if (json_object_equal(a, b))
		return;
	fa = template_frozen_part(a, loose);
	fb = template_frozen_part(b, loose);
	if (!json_object_equal(fa, fb))
		check_invalid(c, AT_FIELD(spec, "template"), a, "field is immutable");
	json_object_put(fa);
	json_object_put(fb);
}

/* An indexed job may grow or shrink only together with its parallelism. */
static void check_completions_update(struct check *c, const struct step *spec, json_t *s, json_t *old)
{
	json_t *v = sw_json_key(s, "completions"), *was = sw_json_key(old, "completions");

	if (json_object_equal(v, was))
		return;
	if (text_is(sw_json_key(s, "completionMode"), "Indexed") && v && was &&
	    json_object_equal(v, sw_json_key(s, "parallelism")) &&
	    json_object_equal(was, sw_json_key(old, "parallelism")))
		return;
	if (text_is(sw_json_key(s, "completionMode"), "Indexed") && v && was)
		check_invalid(c, AT_FIELD(spec, "completions"), v, "can only be modified in tandem with parallelism");
	else
		check_invalid(c, AT_FIELD(spec, "completions"), v, "field is immutable");
}

static void check_update(struct check *c, const struct step *spec, json_t *s, json_t *old)
{
	static const char *const immutable[] = {
		"selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"};
	json_t *old_spec = sw_json_key(old, "spec");

	check_completions_update(c, spec, s, old_spec);
	check_template_update(c, spec, s, old);
	for (size_t i = 0; i < sizeof(immutable) / sizeof(immutable[0]); i++)
		check_immutable(c, spec, s, old_spec, immutable[i]);
}

void check_job(struct check *c, json_t *o, json_t *old)
{
	const struct step *spec = AT_FIELD(NULL, "spec");
	json_t *s = sw_json_key(o, "spec");

	if (!s) {
		check_required(c, spec, "");
		return;
	}
	check_numbers(c, spec, s);
	check_managed_by(c, spec, sw_json_key(s, "managedBy"));
	check_pod_template(c, AT_FIELD(spec, "template"), sw_json_key(s, "template"));
	check_restart_policy(c, spec, s);
	check_selector(c, spec, s);
	check_generated_labels(c, spec, o, s);
	check_indexed_name(c, o, s);
	if (old)
		check_update(c, spec, s, old);
}

/* ---- status ------------------------------------------------------------------------------------ */

void check_job_status(struct check *c, json_t *o, json_t *old)
{
	static const char *const counts[] = {"active", "succeeded", "failed", "ready", "terminating"};
	static const char *const final[] = {"Complete", "Failed"};
	const struct step *at = AT_FIELD(NULL, "status");
	json_t *status = sw_json_key(o, "status");

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		check_not_negative(c, at, status, counts[i]);
	if (sw_json_condition_true(o, "Complete") && sw_json_condition_true(o, "Failed"))
		check_invalid(c, AT_FIELD(at, "conditions"), NULL,
			      "cannot set Complete=True and Failed=true conditions");
	for (size_t i = 0; old && i < 2; i++)
		if (sw_json_condition_true(old, final[i]) && !sw_json_condition_true(o, final[i]))
			check_invalid(c, AT_FIELD(at, "conditions"), NULL,
				      "cannot disable the terminal %s=True condition", final[i]);
}
