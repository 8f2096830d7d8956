/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector.c - keeps one collection in sight for ever: states, backoff, loss and sync
 *
 * The picture is in reflector_priv.h. A watch is resumed from the last good resourceVersion as long as
 * the server accepts it; only a 410, a watch that is refused again and again, or a server that was set back in time
 * leads to a new list.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "reflector_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

/* ---- callbacks may free us ------------------------------------------------------------- */

static void reflector_destroy(struct sw_reflector *r)
{
	rows_free(r);
	sw_timer_free(r->step);
	list_scan_fini(&r->scan);
	sw_buf_fini(&r->body);
	sw_buf_fini(&r->lines);
	free((char *)(uintptr_t)r->cfg.path);
	free((char *)(uintptr_t)r->cfg.label_selector);
	free((char *)(uintptr_t)r->cfg.field_selector);
	free(r->cont);
	free(r->rv);
	free(r->name);
	free(r);
}

void reflector_enter(struct sw_reflector *r)
{
	r->busy++;
}

void reflector_leave(struct sw_reflector *r)
{
	if (--r->busy == 0 && r->freed)
		reflector_destroy(r);
}

bool reflector_alive(const struct sw_reflector *r)
{
	return !r->freed && r->state != REFLECTOR_STOPPED;
}

/* ---- states ------------------------------------------------------------------------------ */

static const char *const state_names[] = {
#define X(name) #name,
	REFLECTOR_STATE_MAP(X)
#undef X
};

void reflector_goto(struct sw_reflector *r, enum reflector_state to)
{
	if (r->state == to)
		return;
	sw_log(DEBUG, "kube", "reflector moves", "cluster=%s path=\"%s\" state=%s to=%s", r->name, r->cfg.path,
	       state_names[r->state], state_names[to]);
	r->state = to;
}

void reflector_set_rv(struct sw_reflector *r, const char *rv)
{
	if (r->rv && strcmp(r->rv, rv) == 0)
		return;
	free(r->rv);
	r->rv = sw_strdup(rv);
}

bool reflector_lost(struct sw_reflector *r, const char *why)
{
	bool first = !r->is_lost;

	if (!first && strcmp(why, r->why) == 0)
		return true;
	if (first && r->is_synced)
		r->since_ms = sw_loop_now(r->loop);
	if (first)
		sw_log(WARN, "kube", "collection out of sight", "cluster=%s path=\"%s\" error=\"%s\"", r->name,
		       r->cfg.path, why);
	r->is_lost = true;
	r->is_synced = false;
	strncpy(r->why, why, sizeof r->why - 1);
	if (r->cfg.on_state)
		r->cfg.on_state(r->cfg.owner, false, r->since_ms, r->why);
	return reflector_alive(r);
}

/* ---- backoff --------------------------------------------------------------------------------- */

/* Half of it is jitter, so that reflectors that lost their server together do not come back together. */
void reflector_pause(struct sw_reflector *r)
{
	uint64_t ms = REFLECTOR_BACKOFF_MAX_MS, random;
	unsigned doublings = r->failures < 16 ? r->failures : 16;

	r->failures++;
	if ((uint64_t)REFLECTOR_BACKOFF_MS << doublings < ms)
		ms = (uint64_t)REFLECTOR_BACKOFF_MS << doublings;
	sw_random(&random, sizeof random);
	reflector_goto(r, REFLECTOR_BACKOFF);
	sw_timer_in(r->step, ms / 2 + random % (ms / 2 + 1));
}

void reflector_backoff(struct sw_reflector *r, struct sw_err why)
{
	reflector_goto(r, REFLECTOR_BACKOFF);
	if (reflector_lost(r, why.text))
		reflector_pause(r);
}

/* The server answers again: what waits for it through a long backoff need not, and counts its failures anew. */
static void others_hurry(const struct sw_reflector *r)
{
	struct sw_reflector *o;

	DL_FOREACH(r->kube->reflectors, o)
	if (o != r && o->state == REFLECTOR_BACKOFF && o->is_lost) {
		o->failures = 0;
		reflector_pause(o);
	}
}

void reflector_synced_now(struct sw_reflector *r)
{
	bool was_lost = r->is_lost;

	if (r->is_synced)
		return;
	r->is_synced = true;
	r->is_lost = false;
	r->since_ms = sw_loop_now(r->loop);
	r->why[0] = '\0';
	if (was_lost)
		others_hurry(r);
	sw_log(INFO, "kube", "collection in sight", "cluster=%s path=\"%s\" objects=%zu", r->name, r->cfg.path,
	       sw_reflector_len(r));
	if (r->cfg.on_state)
		r->cfg.on_state(r->cfg.owner, true, r->since_ms, "");
}

static void on_step(void *arg)
{
	struct sw_reflector *r = arg;

	sw_loop_doing(r->loop, "reflector");
	reflector_enter(r);
	switch (r->state) {
	case REFLECTOR_PAGE:
		reflector_list_step(r);
		break;
	case REFLECTOR_SWEEP:
		reflector_sweep_step(r);
		break;
	case REFLECTOR_WATCHING:
		reflector_watch_step(r);
		break;
	case REFLECTOR_BACKOFF:
		if (r->must_ask)
			reflector_ask(r);
		else if (!r->is_listed)
			reflector_list(r);
		else
			reflector_watch(r);
		break;
	default:
		break;
	}
	reflector_leave(r);
}

/* ---- what is asked ------------------------------------------------------------------------------ */

void reflector_query(struct sw_reflector *r, struct sw_buf *b)
{
	sw_buf_init(b, 64 * 1024);
	sw_buf_puts(b, r->cfg.path);
	if (r->cfg.label_selector)
		sw_kube_query(b, "labelSelector", r->cfg.label_selector);
	if (r->cfg.field_selector)
		sw_kube_query(b, "fieldSelector", r->cfg.field_selector);
}

/* ---- life ---------------------------------------------------------------------------------------- */

struct sw_err sw_reflector_new(struct sw_kube *k, const struct sw_reflector_cfg *cfg, struct sw_reflector **out)
{
	struct sw_reflector *r = sw_calloc(1, sizeof *r);
	struct sw_err e;

	*out = NULL;
	r->kube = k;
	r->loop = k->loop;
	r->name = sw_strdup(k->name);
	r->cfg = *cfg;
	r->cfg.path = sw_strdup(cfg->path);
	r->cfg.label_selector = sw_strdup(cfg->label_selector);
	r->cfg.field_selector = sw_strdup(cfg->field_selector);
	r->page = cfg->page ? cfg->page : REFLECTOR_LIMIT;
	if (!r->cfg.silence_ms)
		r->cfg.silence_ms = REFLECTOR_SILENCE_MS;
	r->since_ms = sw_loop_now(r->loop);
	sw_buf_init(&r->body, REFLECTOR_PAGE_MAX);
	sw_buf_init(&r->lines, REFLECTOR_LINE_MAX);
	e = sw_timer_new(r->loop, on_step, r, &r->step);
	if (sw_failed(e)) {
		reflector_destroy(r);
		return e;
	}
	DL_APPEND(k->reflectors, r);
	reflector_goto(r, REFLECTOR_BACKOFF);
	sw_timer_in(r->step, 0);
	*out = r;
	return SW_OK;
}

void reflector_kube_gone(struct sw_reflector *r)
{
	sw_kube_cancel(r->call);
	r->call = NULL;
	DL_DELETE(r->kube->reflectors, r);
	r->kube = NULL;
	sw_timer_stop(r->step);
	reflector_goto(r, REFLECTOR_STOPPED);
}

struct sw_reflector *reflector_next(struct sw_reflector *r)
{
	return r->next;
}

/* What was delivered stays. A list under way starts again, a watch is resumed, both with the new credentials. */
void reflector_rekeyed(struct sw_reflector *r)
{
	sw_kube_cancel(r->call);
	r->call = NULL;
	r->failures = 0;
	reflector_goto(r, REFLECTOR_BACKOFF);
	sw_timer_in(r->step, 0);
}

void sw_reflector_free(struct sw_reflector *r)
{
	if (!r || r->freed)
		return;
	if (r->kube)
		reflector_kube_gone(r);
	r->freed = true;
	if (r->busy == 0)
		reflector_destroy(r);
}

bool sw_reflector_synced(const struct sw_reflector *r)
{
	return r->is_synced && r->state != REFLECTOR_STOPPED;
}

size_t sw_reflector_len(const struct sw_reflector *r)
{
	return HASH_COUNT(r->rows);
}
