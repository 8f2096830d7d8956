/* SPDX-License-Identifier: Apache-2.0 */
/*
 * indexes.c - the index lists of an Indexed Job, and the policies that read them
 *
 * Imitates k8s.io/kubernetes v1.36.1 pkg/controller/job: indexed_job_utils.go (parseIndexesFromString, String),
 * success_policy.go and pod_failure_policy.go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plan.h"

/* A decimal number at *at, which moves behind it; -1 if there is none or it does not fit. */
static int64_t number(const char **at)
{
	int64_t value = 0;
	const char *p = *at;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value > INT32_MAX)
			return -1;
	}
	*at = p;
	return value;
}

static int32_t mark(unsigned char *set, int32_t n, int64_t first, int64_t last)
{
	int32_t fresh = 0;

	for (int64_t i = first; i <= last && i < n; i++) {
		fresh += !set[i];
		set[i] = 1;
	}
	return fresh;
}

int32_t sim_indexes_read(const char *text, unsigned char *set, int32_t n)
{
	int32_t total = 0;

	for (const char *p = text ? text : ""; *p; p += strcspn(p, ","), p += *p == ',') {
		const char *at = p;
		int64_t first = number(&at), last = first;

		if (first >= 0 && *at == '-') {
			at++;
			last = number(&at);
		}
		if (first >= 0 && last >= 0 && (*at == ',' || *at == '\0'))
			total += mark(set, n, first, last);
	}
	return total;
}

void sim_indexes_text(struct sw_buf *b, const unsigned char *set, int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		int32_t last = i;

		if (!set[i])
			continue;
		while (last + 1 < n && set[last + 1])
			last++;
		sw_buf_printf(b, "%s%d", b->len ? "," : "", (int)i);
		if (last > i)
			sw_buf_printf(b, "%c%d", last == i + 1 ? ',' : '-', (int)last);
		i = last;
	}
}

/* ---- successPolicy ---------------------------------------------------------------- */

static bool rule_met(json_t *rule, const unsigned char *done, int32_t completions, unsigned char *wanted)
{
	const char *text = sw_json_str(rule, "succeededIndexes");
	int64_t count = sw_json_int(rule, "succeededCount", -1);
	int32_t asked = completions, met = 0;

	memset(wanted, !text, (size_t)completions);
	if (text)
		asked = sim_indexes_read(text, wanted, completions);
	for (int32_t i = 0; i < completions; i++)
		met += wanted[i] && done[i];
	if (asked == 0)
		return false;
	return (text && met == asked) || (count >= 0 && met >= count);
}

int sim_success_policy(json_t *policy, const unsigned char *done, int32_t completions)
{
	json_t *rules = sw_json_at(policy, "rules");
	unsigned char *wanted = calloc((size_t)completions + 1, 1);
	int met = -1;

	for (size_t i = 0; wanted && met < 0 && i < sw_json_len(rules) && memchr(done, 1, (size_t)completions); i++)
		if (rule_met(sw_json_idx(rules, i), done, completions, wanted))
			met = (int)i;
	free(wanted);
	return met;
}

/* ---- podFailurePolicy --------------------------------------------------------------- */

static bool code_listed(json_t *values, int64_t code)
{
	for (size_t i = 0; i < sw_json_len(values); i++)
		if (json_object_get_int64(sw_json_idx(values, i)) == code)
			return true;
	return false;
}

/* The container whose exit code matches, or NULL. */
static json_t *exit_code_match(json_t *statuses, json_t *wish)
{
	const char *only = sw_json_str(wish, "containerName"), *op = sw_json_str(wish, "operator");
	bool in = !op || strcmp(op, "In") == 0;

	for (size_t i = 0; i < sw_json_len(statuses); i++) {
		json_t *c = sw_json_idx(statuses, i);
		const char *name = sw_json_str(c, "name");
		int64_t code = sw_json_int(c, "state.terminated.exitCode", 0);

		if (code != 0 && (!only || (name && strcmp(name, only) == 0)) &&
		    code_listed(sw_json_at(wish, "values"), code) == in)
			return c;
	}
	return NULL;
}

static json_t *condition_match(json_t *pod, json_t *patterns)
{
	for (size_t i = 0; i < sw_json_len(patterns); i++) {
		json_t *p = sw_json_idx(patterns, i);
		const char *type = sw_json_str(p, "type"), *want = sw_json_str(p, "status");
		json_t *c = type ? sw_json_condition(pod, type) : NULL;
		const char *is = sw_json_str(c, "status");

		if (is && strcmp(is, want ? want : "True") == 0)
			return c;
	}
	return NULL;
}

static struct sim_verdict verdict_of(const char *action, json_t *pod, json_t *container, json_t *condition, size_t rule)
{
	struct sim_verdict v = {.counts = true};
	const char *ns = sw_json_str(pod, "metadata.namespace"), *name = sw_json_str(pod, "metadata.name");

	v.counts = strcmp(action, "Ignore") != 0;
	v.fails_index = strcmp(action, "FailIndex") == 0;
	v.fails_job = strcmp(action, "FailJob") == 0;
	if (v.fails_job && container)
		snprintf(v.message, sizeof(v.message),
			 "Container %s for pod %s/%s failed with exit code %lld matching FailJob rule at index %zu",
			 sw_json_str(container, "name"), ns, name,
			 (long long)sw_json_int(container, "state.terminated.exitCode", 0), rule);
	else if (v.fails_job)
		snprintf(v.message, sizeof(v.message), "Pod %s/%s has condition %s matching FailJob rule at index %zu",
			 ns, name, sw_json_str(condition, "type"), rule);
	return v;
}

struct sim_verdict sim_failure_policy(json_t *policy, json_t *pod)
{
	json_t *rules = sw_json_at(policy, "rules");

	for (size_t i = 0; i < sw_json_len(rules); i++) {
		json_t *rule = sw_json_idx(rules, i), *wish = sw_json_at(rule, "onExitCodes");
		const char *action = sw_json_str(rule, "action");
		json_t *container = NULL, *condition = NULL;

		if (wish)
			container = exit_code_match(sw_json_at(pod, "status.containerStatuses"), wish);
		else
			condition = condition_match(pod, sw_json_at(rule, "onPodConditions"));
		if (action && (container || condition))
			return verdict_of(action, pod, container, condition, i);
	}
	return (struct sim_verdict){.counts = true};
}
