/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pools.c - what becomes of a NodePool: instances asked for, made after a while, named for release, or not to be had
 *
 * The imitation is of a managed group of machines: a growth takes growSeconds; in a zone without stock it fails after
 * half of that, as a whole, and the pool's size falls back to what it has (so does a resize by OpenStack Magnum, and by
 * Compute Engine's resize requests). Quota refuses at once. Instances that are named go, and nothing replaces them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "objects.h"
#include "spillway/text.h"

enum { DELETE_MS = 5000 }; /* simulated time until a released machine is gone */

static const char *state_name(enum sim_instance_state s)
{
	static const char *const names[] = {"Creating", "Ready", "Deleting"};

	return names[s];
}

static int64_t wanted(json_t *pool)
{
	int64_t desired = sw_json_int(pool, "spec.desired", 0), max = sw_json_int(pool, "spec.maxNodes", 0);

	return desired < 0 ? 0 : desired > max ? max : desired;
}

static int64_t kept(const struct sim_pool_memory *m)
{
	int64_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->at[i].state != SIM_DELETING;
	return n;
}

static void delete_instance(struct sim_instance *i, const struct sim_clock *clock)
{
	if (i->state == SIM_DELETING)
		return;
	i->due_ms = clock->wall_ms + (i->made ? sim_clock_real(clock, DELETE_MS) : 0);
	i->state = SIM_DELETING;
}

static void release_named(json_t *pool, const struct sim_clock *clock, struct sim_pool_memory *m)
{
	json_t *names = sw_json_at(pool, "spec.release");

	for (size_t k = 0; k < sw_json_len(names); k++) {
		const char *name = json_object_get_string(sw_json_idx(names, k));

		for (size_t i = 0; i < m->n && name; i++)
			if (strcmp(m->at[i].id, name) == 0)
				delete_instance(&m->at[i], clock);
	}
}

/* Nobody said which: what is still being made goes first, then the youngest. */
static void shrink(int64_t surplus, const struct sim_clock *clock, struct sim_pool_memory *m)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = m->n; i-- > 0 && surplus > 0;)
			if (m->at[i].state == (pass == 0 ? SIM_CREATING : SIM_READY)) {
				delete_instance(&m->at[i], clock);
				surplus--;
			}
}

static void ask_for(const struct sim_cloud *cloud, const char *cluster, json_t *pool, const struct sim_clock *clock,
		    struct sim_pool_memory *m)
{
	int64_t grow_ms = sim_clock_real(clock, sw_json_int(pool, "spec.growSeconds", 0) * 1000);
	struct sim_instance *fresh = realloc(m->at, (m->n + 1) * sizeof(*fresh));
	char *name;

	if (!fresh)
		return;
	m->at = fresh;
	if (m->seed == 0)
		sw_random(&m->seed, sizeof(m->seed));
	name = sim_node_name(cloud, cluster, sw_json_str(pool, "metadata.name"), m->seed, m->made++);
	m->at[m->n] = (struct sim_instance){.state = SIM_CREATING, .due_ms = clock->wall_ms + grow_ms};
	snprintf(m->at[m->n].id, sizeof(m->at[m->n].id), "%s", name);
	m->n++;
	free(name);
}

/* The status tells first, then desired falls back: nobody sees a growth vanish without a reason. */
static void fail_growth(json_t *pool, struct sim_pool_memory *m, int64_t fall_to, json_t *error_taken)
{
	json_object_put(m->error);
	m->error = error_taken;
	m->fall_to = fall_to;
	m->failed_generation = sw_json_int(pool, "metadata.generation", 0);
}

static void again(struct sim_pool_plan *p, int64_t ms)
{
	if (ms < 1)
		ms = 1;
	if (p->again_ms == 0 || ms < p->again_ms)
		p->again_ms = ms;
}

static void grow(const struct sim_cloud *cloud, const char *cluster, json_t *pool, const struct sim_clock *clock,
		 struct sim_pool_memory *m, struct sim_pool_plan *p)
{
	int64_t have = kept(m), want = wanted(pool), quota = sw_json_int(pool, "spec.quota", -1);
	int64_t give_up = sim_clock_real(clock, sw_json_int(pool, "spec.growSeconds", 0) * 500);

	if (sw_json_bool(pool, "spec.stockout")) {
		if (m->stockout_ms == 0)
			m->stockout_ms = clock->wall_ms + give_up;
		if (clock->wall_ms < m->stockout_ms) {
			again(p, m->stockout_ms - clock->wall_ms);
			return;
		}
		m->stockout_ms = 0;
		fail_growth(pool, m, have, sim_pool_error(cloud, pool, false, clock->wall_ms));
		return;
	}
	m->stockout_ms = 0;
	if (quota >= 0 && want > quota) {
		want = quota > have ? quota : have;
		fail_growth(pool, m, want, sim_pool_error(cloud, pool, true, clock->wall_ms));
	} else {
		json_object_put(m->error);
		m->error = NULL;
	}
	for (; have < want; have++)
		ask_for(cloud, cluster, pool, clock, m);
}

static bool has_failed(json_t *pool, const struct sim_pool_memory *m)
{
	return m->failed_generation > 0 && m->failed_generation == sw_json_int(pool, "metadata.generation", 0);
}

/* What has come of age is to have a Node, or is forgotten. */
static void advance(const struct sim_clock *clock, struct sim_pool_memory *m, struct sim_pool_plan *p)
{
	size_t out = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct sim_instance *x = &m->at[i];

		if (x->state != SIM_READY && x->due_ms > clock->wall_ms)
			again(p, x->due_ms - clock->wall_ms);
		else if (x->state == SIM_CREATING) {
			x->state = SIM_READY;
			x->made = true;
		} else if (x->state == SIM_DELETING)
			continue;
		m->at[out++] = *x;
	}
	m->n = out;
}

static void set_status(const struct sim_cloud *cloud, json_t *pool, const struct sim_clock *clock,
		       const struct sim_pool_memory *m, json_t *status)
{
	json_t *list = json_object_new_array();
	int64_t ready = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct sim_instance *x = &m->at[i];

		ready += x->state == SIM_READY;
		json_object_array_add(list, sw_json_fmt("{\"id\":\"%s\",\"node\":\"%s\",\"state\":\"%s\"}", x->id,
							x->made ? x->id : "", state_name(x->state)));
	}
	sw_json_set_int(status, "nodes", (int64_t)m->n);
	sw_json_set_int(status, "ready", ready);
	sw_json_set_int(status, "growMillis", sim_clock_real(clock, sw_json_int(pool, "spec.growSeconds", 0) * 1000));
	sw_json_set_str(status, "labelKey", cloud->pool_label);
	sw_json_set(status, "instances", list);
	sw_json_del(status, "errors");
	if (m->error) {
		list = json_object_new_array();
		json_object_array_add(list, json_object_get(m->error));
		sw_json_set(status, "errors", list);
	}
	sw_json_set_int(status, "observedGeneration", sw_json_int(pool, "metadata.generation", 0));
}

void sim_pool_plan(const struct sim_cloud *cloud, const char *cluster, json_t *pool, const struct sim_clock *clock,
		   struct sim_pool_memory *mem, struct sim_pool_plan *out)
{
	json_t *old = sw_json_at(pool, "status");

	*out = (struct sim_pool_plan){.desired = -1};
	out->status = old ? sw_json_copy(old) : json_object_new_object();
	release_named(pool, clock, mem);
	if (wanted(pool) > kept(mem)) {
		if (!has_failed(pool, mem))
			grow(cloud, cluster, pool, clock, mem, out);
	} else {
		mem->stockout_ms = 0;
		shrink(kept(mem) - wanted(pool), clock, mem);
	}
	if (has_failed(pool, mem) && wanted(pool) > mem->fall_to)
		out->desired = mem->fall_to;
	advance(clock, mem, out);
	set_status(cloud, pool, clock, mem, out->status);
	if (json_object_equal(out->status, old)) {
		json_object_put(out->status);
		out->status = NULL;
	}
}

void sim_pool_plan_fini(struct sim_pool_plan *p)
{
	json_object_put(p->status);
	*p = (struct sim_pool_plan){0};
}

void sim_pool_memory_fini(struct sim_pool_memory *m)
{
	free(m->at);
	json_object_put(m->error);
	*m = (struct sim_pool_memory){0};
}
