/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_test.h - a world without a server: applies the plans of the pure controllers to objects in memory
 */
#ifndef SIM_TEST_H
#define SIM_TEST_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../../providers/sim/plan.h"
#include "../../support/json_of.h"
#include "spillway/text.h"

enum { WORLD_PODS = 64 };
struct world {
	json_t *job, *pods[WORLD_PODS];
	size_t n, made, rounds;
	struct sim_clock clock;
	struct sim_job_memory mem;
	struct sim_training_memory train;
	bool training, expired;
	char events[2048]; /* reasons, each followed by a blank */
};

static inline void world_open(struct world *w, const char *spec)
{
	*w = (struct world){.clock = {.wall_ms = 1764000000000, .scale = 1}};
	w->job = json_of(
		"{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j','namespace':'ns','uid':'job-uid'}}");
	sw_json_set(w->job, "spec", json_of(spec));
	if (!sw_json_at(w->job, "spec.template"))
		sw_json_set(w->job, "spec.template",
			    json_of("{'metadata':{'labels':{'job-name':'j'}},'spec':{'restartPolicy':'Never',"
				    "'containers':[{'name':'c','image':'busybox'}]}}"));
}

static inline void world_close(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		json_object_put(w->pods[i]);
	json_object_put(w->job);
}

static inline void world_remove(struct world *w, size_t i)
{
	json_object_put(w->pods[i]);
	memmove(&w->pods[i], &w->pods[i + 1], (w->n - i - 1) * sizeof(w->pods[0]));
	w->n--;
}

static inline void strip_finalizer(json_t *o, const char *name)
{
	json_t *old = sw_json_at(o, "metadata.finalizers"), *kept = json_object_new_array();

	for (size_t i = 0; i < sw_json_len(old); i++)
		if (strcmp(json_object_get_string(sw_json_idx(old, i)), name) != 0)
			json_object_array_add(kept, json_object_get(sw_json_idx(old, i)));
	sw_json_set(o, "metadata.finalizers", kept);
}

static inline size_t world_find(struct world *w, json_t *pod)
{
	const char *uid = sw_json_str(pod, "metadata.uid");

	for (size_t i = 0; i < w->n; i++)
		if (strcmp(sw_json_str(w->pods[i], "metadata.uid"), uid) == 0)
			return i;
	cr_assert_fail("the plan names a pod that it was not given");
	return 0;
}

/* A pod leaves when nothing holds it. */
static inline void world_collect(struct world *w)
{
	for (size_t i = w->n; i-- > 0;)
		if (sim_pod_deleting(w->pods[i]) && sw_json_len(sw_json_at(w->pods[i], "metadata.finalizers")) == 0)
			world_remove(w, i);
}

static inline void world_apply(struct world *w, struct sim_plan *p)
{
	char uid[32];

	if (p->status)
		sw_json_set(w->job, "status", sw_json_copy(p->status));
	for (size_t i = 0; i < sw_json_len(p->unpin); i++)
		strip_finalizer(w->pods[world_find(w, sw_json_idx(p->unpin, i))], SIM_TRACKING);
	for (size_t i = 0; i < sw_json_len(p->drop); i++)
		sw_json_set_str(w->pods[world_find(w, sw_json_idx(p->drop, i))], "metadata.deletionTimestamp",
				"2025-11-24T16:00:00Z");
	for (size_t i = 0; i < sw_json_len(p->create); i++) {
		json_t *pod = sw_json_copy(sw_json_idx(p->create, i));

		cr_assert_lt(w->n, WORLD_PODS);
		snprintf(uid, sizeof(uid), "pod-%zu", w->made++);
		sw_json_set_str(pod, "metadata.uid", uid);
		w->pods[w->n++] = pod;
	}
	for (size_t i = 0; i < sw_json_len(p->events); i++) {
		strncat(w->events, sw_json_str(sw_json_idx(p->events, i), "reason"),
			sizeof(w->events) - strlen(w->events) - 2);
		strcat(w->events, " ");
	}
	w->expired = p->expire;
	world_collect(w);
}

/* Rounds until there is nothing to write. Returns when to look again, in real ms; 0: never. */
static inline int64_t world_settle(struct world *w)
{
	for (int round = 0; round < 50; round++) {
		struct sim_plan p;
		int64_t again;
		bool empty;

		sim_plan_init(&p);
		if (w->training)
			sim_training_plan(w->job, w->pods, w->n, &w->clock, &w->train, &p);
		else
			sim_job_plan(w->job, w->pods, w->n, &w->clock, &w->mem, &p);
		empty = sim_plan_empty(&p);
		again = p.again_ms;
		world_apply(w, &p);
		sim_plan_fini(&p);
		if (empty || w->expired)
			return again;
		w->rounds++;
	}
	cr_assert_fail("does not settle: %s", sw_json_text(w->job, NULL));
	return 0;
}

static inline void pod_set(json_t *pod, const char *phase, int code)
{
	json_t *status = sw_json_at(pod, "status");

	sw_json_set_str(pod, "status.phase", phase);
	sw_json_set_str(pod, "spec.nodeName", "n1");
	if (strcmp(phase, "Running") == 0)
		sw_json_set(pod, "status.conditions", json_of("[{'type':'Ready','status':'True'}]"));
	else
		sw_json_set(pod, "status.conditions", json_of("[{'type':'Ready','status':'False'}]"));
	status = sw_json_fmt(
		"[{\"name\":\"c\",\"restartCount\":0,\"state\":{\"terminated\":{\"exitCode\":%d,\"finishedAt\":"
		"\"2025-11-24T15:00:00Z\"}}}]",
		code);
	sw_json_set(pod, "status.containerStatuses", status);
}

/* The first active pod, or the one with this completion index or replica name; NULL if there is none. */
static inline json_t *world_pod(struct world *w, const char *index)
{
	for (size_t i = 0; i < w->n; i++) {
		const char *is = sw_json_annotation(w->pods[i], SIM_INDEX),
			   *name = sw_json_str(w->pods[i], "metadata.name");

		if (sim_pod_active(w->pods[i]) &&
		    (!index || (is && strcmp(is, index) == 0) || strcmp(name, index) == 0))
			return w->pods[i];
	}
	return NULL;
}

/*
 * A script of words: "run" (every active pod runs), "ok", "ok:2", "fail", "fail:2" (exit code 1), "fail:2=42",
 * "kill" (a user deletes the first active pod, its node answers at once), "suspend", "resume", "gone" (what is being
 * deleted goes),
 * "+30s" (time passes). The controller settles after each.
 */
static inline void world_word(struct world *w, char *word)
{
	const char *suspend = w->training ? "spec.runPolicy.suspend" : "spec.suspend";
	char *index = strchr(word, ':'), *code = strchr(word, '=');
	int64_t ms = 0;
	json_t *pod;

	if (index)
		*index++ = '\0';
	if (code)
		*code++ = '\0';
	if (*word == '+') {
		cr_assert(!sw_failed(sw_duration_parse(word + 1, &ms)));
		w->clock.wall_ms += ms;
	} else if (strcmp(word, "suspend") == 0 || strcmp(word, "resume") == 0)
		sw_json_set_bool(w->job, suspend, *word == 's');
	else if (strcmp(word, "run") == 0) {
		for (size_t i = 0; i < w->n; i++)
			if (sim_pod_active(w->pods[i]))
				pod_set(w->pods[i], "Running", 0);
	} else {
		pod = world_pod(w, index);
		cr_assert(pod, "no such pod: %s %s in %s", word, index ? index : "", sw_json_text(w->job, NULL));
		if (strcmp(word, "kill") == 0)
			sw_json_set_str(pod, "metadata.deletionTimestamp", "2025-11-24T15:00:00Z");
		else
			pod_set(pod, strcmp(word, "ok") == 0 ? "Succeeded" : "Failed",
				strcmp(word, "ok") == 0 ? 0
				: code                  ? atoi(code)
							: 1);
	}
	world_collect(w);
}

static inline int64_t world_play(struct world *w, const char *script)
{
	char *copy = sw_strdup(script), *save = NULL;
	int64_t again = world_settle(w);

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		world_word(w, word);
		again = world_settle(w);
	}
	free(copy);
	return again;
}

/* "Complete", "Failed/Reason", or "" */
static inline const char *world_end(struct world *w, char buf[96])
{
	json_t *failed = sw_json_condition(w->job, "Failed");

	*buf = '\0';
	if (sw_json_condition_true(w->job, "Complete"))
		strcpy(buf, "Complete");
	else if (sw_json_condition_true(w->job, "Failed"))
		snprintf(buf, 96, "Failed/%s", sw_json_str(failed, "reason"));
	return buf;
}

#endif
