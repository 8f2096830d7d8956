/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator.c - what operators have said about a cluster: drained, declared dead, removed
 *
 * A word is a note of the manager ("cluster/NAME"), durable before it counts, so that a restart forgets none. drained:
 * no new jobs, those that are placed there go on. dead: nobody will hear of it again; its jobs are moved without
 * waiting, though the cluster may still run them for all we know: the operator has seen to it that it does not. When it
 * answers after all, its copies are read and swept like any other's, and it takes nothing until somebody says so.
 */
#include "dispatch_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "spillway/text.h"

#define NOTES "cluster/"
enum { JOBS_SHOWN = 20 };

struct word {
	UT_hash_handle hh;
	enum sw_cluster_state state;
	bool leaving; /* its configuration is gone */
	bool joining; /* came while we run, and was not ready yet */
	char name[];
};

struct word_call {
	struct word_call *prev, *next;
	struct sw_dispatch *d;
	sw_cluster_word_fn *done;
	void *owner;
	enum sw_cluster_state state;
	char name[];
};

static const char *const states[] = {[SW_CLUSTER_OPEN] = "open",
				     [SW_CLUSTER_DRAINED] = "drained",
				     [SW_CLUSTER_DEAD] = "dead",
				     [SW_CLUSTER_REMOVED] = "removed"};

const char *sw_cluster_state_name(enum sw_cluster_state s)
{
	return (unsigned)s < sizeof states / sizeof *states ? states[s] : "?";
}

enum sw_cluster_state sw_dispatch_cluster_state(const struct sw_dispatch *d, const char *cluster)
{
	struct word *w;
	HASH_FIND_STR(d->words, cluster, w);
	if (!w)
		return SW_CLUSTER_OPEN;
	return w->leaving && w->state == SW_CLUSTER_OPEN ? SW_CLUSTER_DRAINED : w->state;
}

static struct word *word_get(struct sw_dispatch *d, const char *name)
{
	struct word *w;
	HASH_FIND_STR(d->words, name, w);
	if (!w) {
		w = sw_calloc(1, sizeof *w + strlen(name) + 1);
		memcpy(w->name, name, strlen(name) + 1);
		HASH_ADD_STR(d->words, name, w);
	}
	return w;
}

static void word_set(struct sw_dispatch *d, const char *name, enum sw_cluster_state state)
{
	word_get(d, name)->state = state;
}

static void on_note(void *owner, const char *name, json_t *value)
{
	const char *state = sw_json_str(value, "state");
	for (size_t i = 0; state && i < sizeof states / sizeof *states; i++)
		if (strcmp(states[i], state) == 0)
			word_set(owner, name + strlen(NOTES), (enum sw_cluster_state)i);
}

void words_read(struct sw_dispatch *d)
{
	d->m->ops->notes(d->m, NOTES, on_note, d);
}

void words_free(struct sw_dispatch *d)
{
	struct word *w, *next;
	struct word_call *c, *tmp;
	HASH_ITER(hh, d->words, w, next)
	{
		HASH_DEL(d->words, w);
		free(w);
	}
	DL_FOREACH_SAFE(d->word_calls, c, tmp)
	{
		if (c->done) /* somebody waits for the answer */
			c->done(c->owner, sw_err(SW_E_CANCELED, "the gateway is stopping: ask again"), NULL);
		free(c);
	}
	d->word_calls = NULL;
}

/* ---- what is there ----------------------------------------------------------------- */

struct census {
	const char *cluster;
	json_t *jobs;
	size_t n;
};

static void count_row(void *owner, const struct sw_workload *row)
{
	struct census *c = owner;
	if (!row->cluster || strcmp(row->cluster, c->cluster) != 0 || row->finished)
		return;
	if (c->n++ < JOBS_SHOWN)
		json_object_array_add(c->jobs, json_object_new_string(row->key));
}

static void count_copy(void *owner, struct sw_worker *w, const char *key, const struct sw_kind *kind, const char *ns,
		       const char *name, const char *owner_uid, const struct sw_copy *copy)
{
	size_t *n = owner;
	(void)w, (void)key, (void)kind, (void)ns, (void)name, (void)owner_uid, (void)copy;
	++*n;
}

static const char *words_for(enum sw_cluster_state state)
{
	static const char *const words[] = {
		[SW_CLUSTER_OPEN] = "takes jobs",
		[SW_CLUSTER_DRAINED] = "takes no new jobs; those placed there go on",
		[SW_CLUSTER_DEAD] = "its jobs are moved; when it answers again its copies are read and deleted, and it "
				    "takes nothing until it is declared alive",
		[SW_CLUSTER_REMOVED] = "takes nothing; it can be taken out of the configuration",
	};
	return words[state];
}

static json_t *result_of(struct sw_dispatch *d, const char *cluster, enum sw_cluster_state state)
{
	struct sw_worker *w = sw_workers_find(d->workers, cluster);
	struct census c = {.cluster = cluster, .jobs = json_object_new_array()};
	size_t copies = 0;
	json_t *o = json_object_new_object();
	d->m->ops->each(d->m, count_row, &c);
	if (w)
		sw_worker_each_copy(w, count_copy, &copies);
	sw_json_set_str(o, "cluster", cluster);
	sw_json_set_str(o, "state", sw_cluster_state_name(state));
	sw_json_set_bool(o, "reachable", w && sw_worker_state(w).reachable);
	sw_json_set_int(o, "placed", (int64_t)c.n);
	sw_json_set_int(o, "copies", (int64_t)copies);
	json_object_object_add(o, "jobs", c.jobs);
	sw_json_set_str(o, "message", words_for(state));
	return o;
}

/* ---- may it be said? ------------------------------------------------------------------ */

static struct sw_err unknown_cluster(struct sw_dispatch *d, const char *cluster)
{
	size_t n = d->workers ? sw_workers_count(d->workers) : 0;
	const char **names = sw_calloc(n + 1, sizeof *names);
	for (size_t i = 0; i < n; i++)
		names[i] = sw_worker_name(sw_workers_at(d->workers, i));
	const char *near = sw_nearest(cluster, names, (int)n);
	struct sw_err e = sw_err(SW_E_MISSING, "there is no cluster \"%.60s\"%s%s%s", cluster,
				 near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	free(names);
	return e;
}

struct sw_err word_may_remove(struct sw_dispatch *d, struct sw_worker *w, enum sw_cluster_state now)
{
	const char *name = sw_worker_name(w);
	json_t *r = result_of(d, name, now);
	int64_t placed = sw_json_int(r, "placed", 0), copies = sw_json_int(r, "copies", 0);
	bool seen = sw_worker_state(w).reachable;
	json_object_put(r);
	if (placed > 0 || copies > 0)
		return sw_err(
			SW_E_CONFLICT,
			"cluster %s still has %lld placed job%s and %lld cop%s: drain it and wait, or delete them",
			name, (long long)placed, placed == 1 ? "" : "s", (long long)copies, copies == 1 ? "y" : "ies");
	if (!seen && now != SW_CLUSTER_DEAD)
		return sw_err(
			SW_E_CONFLICT,
			"cluster %s cannot be asked what it still runs: wait until it answers, or declare it dead",
			name);
	return SW_OK;
}

static struct sw_err judge(struct sw_dispatch *d, struct sw_worker *w, enum sw_cluster_word word)
{
	const char *name = sw_worker_name(w);
	enum sw_cluster_state now = sw_dispatch_cluster_state(d, name);
	if (word == SW_CLUSTER_DECLARE_DEAD && sw_worker_state(w).reachable)
		return sw_err(SW_E_CONFLICT, "cluster %s answers: what is alive is drained, not declared dead", name);
	if ((word == SW_CLUSTER_DRAIN || word == SW_CLUSTER_UNDRAIN) && now == SW_CLUSTER_DEAD)
		return sw_err(SW_E_CONFLICT, "cluster %s is declared dead: declare it alive first", name);
	if (word == SW_CLUSTER_UNDECLARE && now != SW_CLUSTER_DEAD && now != SW_CLUSTER_OPEN)
		return sw_err(SW_E_CONFLICT, "cluster %s is %s, not declared dead", name, states[now]);
	return word == SW_CLUSTER_REMOVE ? word_may_remove(d, w, now) : SW_OK;
}

/* ---- saying it --------------------------------------------------------------------------- */

static void on_noted(void *owner, struct sw_err err)
{
	struct word_call *c = owner;
	struct sw_dispatch *d = c->d;
	json_t *result = NULL;
	if (!sw_failed(err)) {
		word_set(d, c->name, c->state);
		sw_log(WARN, "dispatch", "an operator said", "cluster=%s state=%s", c->name, states[c->state]);
		dispatch_look_at_all(d);
		result = result_of(d, c->name, c->state);
	}
	DL_DELETE(d->word_calls, c);
	if (c->done)
		c->done(c->owner, err, result);
	json_object_put(result);
	free(c);
}

struct sw_err sw_dispatch_cluster_word(struct sw_dispatch *d, const char *cluster, enum sw_cluster_word word,
				       sw_cluster_word_fn *done, void *owner)
{
	static const enum sw_cluster_state to[] = {[SW_CLUSTER_DRAIN] = SW_CLUSTER_DRAINED,
						   [SW_CLUSTER_UNDRAIN] = SW_CLUSTER_OPEN,
						   [SW_CLUSTER_DECLARE_DEAD] = SW_CLUSTER_DEAD,
						   [SW_CLUSTER_UNDECLARE] = SW_CLUSTER_OPEN,
						   [SW_CLUSTER_REMOVE] = SW_CLUSTER_REMOVED};
	struct sw_worker *w = d->workers ? sw_workers_find(d->workers, cluster) : NULL;
	struct sw_err e = !w ? unknown_cluster(d, cluster) : judge(d, w, word);
	if (sw_failed(e))
		return e;
	size_t n = strlen(cluster);
	struct word_call *c = sw_calloc(1, sizeof *c + n + 1);
	memcpy(c->name, cluster, n);
	c->d = d;
	c->done = done;
	c->owner = owner;
	c->state = to[word];
	DL_APPEND(d->word_calls, c);
	char *note = sw_asprintf(NOTES "%s", cluster);
	json_t *value = NULL;
	if (c->state != SW_CLUSTER_OPEN) {
		value = json_object_new_object();
		sw_json_set_str(value, "state", states[c->state]);
		sw_json_set_int(value, "at", sw_loop_wall(d->opt.loop));
	}
	e = d->m->ops->note_put(d->m, note, value, on_noted, c);
	json_object_put(value);
	free(note);
	if (sw_failed(e)) {
		DL_DELETE(d->word_calls, c);
		free(c);
	}
	return e;
}

/* ---- clusters that come and go while we run (clusters.c) ------------------------------------- */

void word_leaving(struct sw_dispatch *d, const char *cluster, bool leaving)
{
	struct word *w = word_get(d, cluster);
	if (w->leaving == leaving)
		return;
	w->leaving = leaving;
	dispatch_look_at_all(d);
}

void word_joining(struct sw_dispatch *d, const char *cluster)
{
	word_get(d, cluster)->joining = true;
}

bool word_joined(struct sw_dispatch *d, const char *cluster)
{
	struct word *w;
	HASH_FIND_STR(d->words, cluster, w);
	bool was = w && w->joining;
	if (was)
		w->joining = false;
	return was;
}

static void on_forgotten(void *owner, struct sw_err err)
{
	(void)owner;
	if (sw_failed(err))
		sw_log(WARN, "dispatch", "a note stays behind", "error=\"%s\"", err.text);
}

/* One of its name that is added later is another one. */
void word_over(struct sw_dispatch *d, const char *cluster)
{
	struct word *w = word_get(d, cluster);
	bool noted = w->state != SW_CLUSTER_OPEN;
	HASH_DEL(d->words, w);
	free(w);
	if (!noted)
		return;
	char *note = sw_asprintf(NOTES "%s", cluster);
	struct sw_err e = d->m->ops->note_put(d->m, note, NULL, on_forgotten, NULL);
	if (sw_failed(e))
		on_forgotten(NULL, e);
	free(note);
}
