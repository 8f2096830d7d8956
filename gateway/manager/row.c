/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row.c - one compact row per Workload that is not over
 *
 * A row holds what decisions need in about 130 bytes; struct sw_workload is spread out of it on demand, into an arena
 * that lasts for the turn of the loop. A finished Workload keeps its row until dispatch has swept its copies (its
 * finalizer is gone).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/text.h"

/* ---- reading a Workload ---------------------------------------------------------------------- */

struct owner {
	const struct sw_kind *kind;
	const char *name, *uid;
};

/* The job that a Workload belongs to: by its owner reference, or what was noted when that was taken off (orphaned). */
static bool owner_read(json_t *w, struct owner *out)
{
	json_t *list = sw_json_at(w, "metadata.ownerReferences");
	const char *noted = sw_json_annotation(w, SW_ANN_OWNER), *slash = noted ? strchr(noted, '/') : NULL;
	char resource[128];

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *o = sw_json_idx(list, i);

		*out = (struct owner){sw_kind_of(o), sw_json_str(o, "name"), sw_json_str(o, "uid")};
		if (out->kind && kind_served(out->kind) && out->name && out->uid)
			return true;
	}
	if (!slash || slash - noted >= (ptrdiff_t)sizeof(resource))
		return false;
	snprintf(resource, sizeof(resource), "%.*s", (int)(slash - noted), noted);
	*out = (struct owner){sw_kind_find(resource), slash + 1, sw_json_label(w, SW_LABEL_JOB_UID)};
	return out->kind && kind_served(out->kind) && out->uid;
}

static json_t *check_read(json_t *w, struct row *r)
{
	json_t *list = sw_json_at(w, "status.admissionChecks");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *c = sw_json_idx(list, i);
		const char *name = sw_json_str(c, "name"), *state = sw_json_str(c, "state");

		if (!name || strcmp(name, SW_CHECK_NAME) != 0)
			continue;
		for (int s = SW_CHECK_PENDING; state && s <= SW_CHECK_REJECTED; s++)
			if (strcmp(state, sw_check_name((enum sw_check)s)) == 0)
				r->check = (uint8_t)s;
		return c;
	}
	return NULL;
}

static bool evicted_here(json_t *w)
{
	static const char *const reasons[] = {EVICT_INACTIVE, EVICT_SUSPENDED, EVICT_CQ_STOPPED, EVICT_LQ_STOPPED,
					      EVICT_CHANGED};
	const char *why = sw_json_str(sw_json_condition(w, "Evicted"), "reason");

	for (size_t i = 0; why && i < sizeof(reasons) / sizeof(*reasons); i++)
		if (strcmp(why, reasons[i]) == 0)
			return true;
	return why && !sw_json_bool(w, "spec.active"); /* rejected */
}

static uint16_t flags_read(json_t *w)
{
	json_t *active = sw_json_at(w, "spec.active");
	bool reserved = sw_json_condition_true(w, "QuotaReserved");
	unsigned f = 0;

	f |= !active || json_object_get_boolean(active) ? ROW_ACTIVE : 0;
	f |= reserved ? ROW_RESERVED : 0;
	f |= reserved && sw_json_condition_true(w, "Evicted") ? ROW_EVICTED : 0;
	f |= (f & ROW_EVICTED) && evicted_here(w) ? ROW_OWN_EVICT : 0;
	f |= sw_json_condition_true(w, "Finished") ? ROW_FINISHED : 0;
	f |= sw_json_str(w, "metadata.deletionTimestamp") ? ROW_DELETING : 0;
	f |= sw_json_len(sw_json_at(w, "status.nominatedClusterNames")) ? ROW_NOMINATED : 0;
	f |= finalizer_has(w, SW_FINALIZER_COPIES) ? ROW_FINALIZER : 0;
	return (uint16_t)f;
}

bool kind_served(const struct sw_kind *k)
{
	const struct sw_resource *r = sw_resource_by_id(k->resource);

	return r && sw_resource_verbs(r, SW_SERVE_MANAGER);
}

static uint8_t kind_index(const struct sw_kind *k)
{
	uint8_t i = 0;

	while (sw_kind_at(i) != k)
		i++;
	return i;
}

static struct row *row_alloc(const char *key, const struct owner *o)
{
	size_t n = strlen(key), len = strlen(o->name), skip = strcspn(key, "/") + 1 + strlen(o->kind->kind) + 1;
	bool inside = skip + len < n && strncmp(key + skip, o->name, len) == 0;
	struct row *r = sw_calloc(1, sizeof(*r) + n + 1 + (inside ? 0 : len));

	memcpy(r->text, key, n);
	if (!inside)
		memcpy(r->text + n + 1, o->name, len);
	r->job_at = (uint16_t)(inside ? skip : n + 1);
	r->job_len = (uint16_t)len;
	r->kind = kind_index(o->kind);
	return r;
}

struct row *row_new(struct emb *m, const char *key, uint64_t rv, json_t *w)
{
	const char *created = sw_json_str(w, "metadata.creationTimestamp"),
		   *generation = sw_json_annotation(w, SW_ANN_JOB_GENERATION),
		   *wishes = sw_json_annotation(w, SW_ANN_WISHES);
	unsigned char uid[16], job_uid[16];
	struct owner o;

	if (!owner_read(w, &o) || strlen(key) + strlen(o.name) > 0xf000 ||
	    !uid_pack(sw_json_str(w, "metadata.uid"), uid) || !uid_pack(o.uid, job_uid))
		return NULL;
	struct row *r = row_alloc(key, &o);
	const char *said = sw_json_str(check_read(w, r), "message");

	memcpy(r->uid, uid, 16);
	memcpy(r->job_uid, job_uid, 16);
	r->rv = rv;
	r->queue = emb_intern(m, sw_json_str(w, "spec.queueName"));
	r->cluster_queue = emb_intern(m, sw_json_str(w, "status.admission.clusterQueue"));
	r->cluster = emb_intern(m, sw_json_str(w, "status.clusterName"));
	r->message = said && *said ? sw_strdup(said) : NULL;
	if (created && sw_failed(sw_time_parse(created, &r->created_ms)))
		r->created_ms = 0;
	r->priority = (int32_t)sw_json_int(w, "spec.priority", 0);
	r->priority_class = emb_intern(m, sw_workload_priority_class(w));
	r->job_generation = generation ? (uint32_t)strtoul(generation, NULL, 10) : 0;
	r->wishes = wishes ? (uint32_t)strtoul(wishes, NULL, 10) : 0;
	r->attempt = (uint16_t)(evictions_of(w) < UINT16_MAX ? 1 + evictions_of(w) : UINT16_MAX);
	r->flags = flags_read(w);
	return r;
}

void row_free(struct row *r)
{
	if (!r)
		return;
	free(r->message);
	free(r);
}

/* ---- questions ---------------------------------------------------------------------------------- */

const char *row_key(const void *row)
{
	return ((const struct row *)row)->text;
}

const struct sw_kind *row_kind(const struct row *r)
{
	return sw_kind_at(r->kind);
}

void row_job_name(const struct row *r, char buf[254])
{
	snprintf(buf, 254, "%.*s", r->job_len, r->text + r->job_at);
}

void row_job_key(const struct row *r, char buf[KEY_MAX])
{
	snprintf(buf, KEY_MAX, "%s %.*s/%.*s", row_kind(r)->resource, (int)strcspn(r->text, "/"), r->text, r->job_len,
		 r->text + r->job_at);
}

bool row_is_of(const struct row *r, const char *job_uid)
{
	unsigned char uid[16];

	return uid_pack(job_uid, uid) && memcmp(uid, r->job_uid, 16) == 0;
}

static void row_ns(const struct row *r, char buf[260])
{
	snprintf(buf, 260, "%.*s", (int)strcspn(r->text, "/"), r->text);
}

bool row_stopped(struct emb *m, const struct row *r)
{
	char ns[260];

	row_ns(r, ns);
	return sw_queue_stopped(m->queue, ns, r->queue ? r->queue : "") == SW_QUEUE_DRAIN;
}

bool row_admitted(const struct row *r)
{
	return r->cluster && (r->flags & (ROW_RESERVED | ROW_EVICTED | ROW_FINISHED)) == ROW_RESERVED;
}

struct row *row_find(struct emb *m, const char *key)
{
	return sw_keymap_find(&m->rows, key);
}

/* ---- shown to dispatch ------------------------------------------------------------------------------ */

static const struct sw_workload *row_show(struct emb *m, const struct row *r)
{
	struct sw_workload *w = arena_take(&m->arena, sizeof(*w));
	unsigned f = r->flags;

	*w = (struct sw_workload){
		.key = r->text,
		.ns = arena_str(&m->arena, r->text, strcspn(r->text, "/")),
		.uid = uid_text(r->uid, arena_take(&m->arena, 37)),
		.rv = r->rv,
		.kind = row_kind(r),
		.job_name = arena_str(&m->arena, r->text + r->job_at, r->job_len),
		.job_uid = uid_text(r->job_uid, arena_take(&m->arena, 37)),
		.queue = r->queue ? r->queue : "",
		.cluster_queue = r->cluster_queue ? r->cluster_queue : "",
		.cluster = r->cluster,
		.message = r->message ? arena_str(&m->arena, r->message, strlen(r->message)) : "",
		.created_ms = r->created_ms,
		.priority = r->priority,
		.priority_class = r->priority_class ? r->priority_class : "",
		.attempt = r->attempt,
		.nominated = f & ROW_NOMINATED,
		.check = (enum sw_check)r->check,
		.active = (f & ROW_ACTIVE) && !row_stopped(m, r),
		.reserved = f & ROW_RESERVED,
		.evicted = f & ROW_EVICTED,
		.finished = f & ROW_FINISHED,
		.deleting = f & (ROW_DELETING | ROW_JOB_GONE),
		.suspended_by_user = f & ROW_USER_STOP,
	};
	w->key = arena_str(&m->arena, r->text, strlen(r->text)); /* the row may go within the turn */
	return w;
}

const struct sw_workload *row_get_op(struct sw_manager *base, const char *key)
{
	struct emb *m = emb_of(base);
	uint64_t turn = sw_loop_turns(m->loop).turns;
	struct row *r = row_find(m, key);

	if (turn != m->arena_turn)
		arena_reset(&m->arena);
	m->arena_turn = turn;
	return r ? row_show(m, r) : NULL;
}

void row_each_op(struct sw_manager *base, void (*fn)(void *owner, const struct sw_workload *w), void *owner)
{
	struct emb *m = emb_of(base);
	struct arena *before = m->arena;
	struct row *r;

	m->arena = NULL; /* of this walk: each row only lasts for its call, in which get() starts no new turn */
	if (m->arena_turn != sw_loop_turns(m->loop).turns)
		arena_free(&before);
	m->arena_turn = sw_loop_turns(m->loop).turns;
	for (size_t at = 0; (r = sw_keymap_next(&m->rows, &at));) {
		fn(owner, row_show(m, r));
		arena_reset(&m->arena);
	}
	arena_free(&m->arena);
	m->arena = before;
}

/* ---- following the store -------------------------------------------------------------------------------- */

void row_set_flag(struct emb *m, struct row *r, unsigned flag, bool on)
{
	bool was = r->flags & flag;

	if (was == on)
		return;
	r->flags = (uint16_t)(on ? r->flags | flag : r->flags & ~flag);
	if (flag == ROW_JOB_SEEN)
		return;
	row_requeue(m, r);
	sw_reconciler_add(m->workloads, r->text);
	emb_notify(m, r->text);
}

/* What the queue should hold for it. */
static enum sw_queue_place place_of(const struct row *r)
{
	unsigned f = r ? r->flags : 0;

	if (!r || (f & ROW_FINISHED))
		return SW_QUEUE_ABSENT;
	if (f & ROW_RESERVED)
		return SW_QUEUE_HOLDS;
	if ((f & (ROW_DELETING | ROW_JOB_GONE | ROW_USER_STOP)) || !(f & ROW_ACTIVE))
		return SW_QUEUE_ABSENT;
	return SW_QUEUE_WAITS;
}

/* w: NULL means that it is to be read if it is needed. */
static void queue_follow(struct emb *m, const char *key, const struct row *r, json_t *w, bool again)
{
	enum sw_queue_place have = sw_queue_place(m->queue, key), want = place_of(r);
	json_t *own = NULL;
	uint64_t rv;

	if (have == want && !again)
		return;
	if (want == SW_QUEUE_ABSENT) {
		sw_queue_remove(m->queue, key);
	} else {
		if (!w && !sw_failed(emb_get_key(m, WORKLOADS, key, &own, &rv)))
			w = own;
		if (w)
			quota_put(m, key, w, want == SW_QUEUE_HOLDS);
		json_object_put(own);
	}
	quota_pump_soon(m);
}

void row_requeue(struct emb *m, struct row *r)
{
	if (!emb_in_flight(m, r->text, r->rv))
		queue_follow(m, r->text, r, NULL, false);
}

/* Does a waiting item look different now? */
static bool waits_otherwise(const struct row *old, const struct row *now)
{
	return old->queue != now->queue || old->priority != now->priority ||
	       old->job_generation != now->job_generation || old->attempt != now->attempt;
}

static void row_swap(struct emb *m, const char *key, struct row *old, struct row *now)
{
	if (old)
		queues_count(m, old, -1);
	if (now) {
		now->flags |= old ? old->flags & ROW_OF_JOB : 0;
		queues_count(m, now, +1);
		sw_keymap_put(&m->rows, now);
	} else {
		sw_keymap_remove(&m->rows, key);
	}
}

/* The job has something to do when its Workload won, was evicted, came back or is gone. */
static void tell_job(struct emb *m, const struct row *old, const struct row *now)
{
	char job[KEY_MAX];
	bool won = old && now && row_admitted(old) != row_admitted(now);
	bool moved = old && now && ((old->flags ^ now->flags) & ROW_RESERVED);
	bool gone = old && !now, admitted = !old && now && row_admitted(now);

	if (!won && !moved && !gone && !admitted)
		return;
	row_job_key(now ? now : old, job);
	sw_reconciler_add(m->jobs, job);
}

/* A row for what is not over: a finished Workload without copies is only an object. */
static struct row *row_read(struct emb *m, const char *key, uint64_t rv, json_t *w)
{
	struct row *r = w ? row_new(m, key, rv, w) : NULL;

	if (!r || !(r->flags & ROW_FINISHED) || (r->flags & ROW_FINALIZER))
		return r;
	row_free(r);
	return NULL;
}

void row_apply(struct emb *m, const char *key, uint64_t rv, json_t *w)
{
	struct row *old = row_find(m, key), *now = row_read(m, key, rv, w);
	bool waits = old && now && sw_queue_place(m->queue, key) == SW_QUEUE_WAITS && waits_otherwise(old, now);

	if (!old && !now && sw_queue_place(m->queue, key) == SW_QUEUE_ABSENT)
		return;
	tell_job(m, old, now);
	row_swap(m, key, old, now);
	if (!emb_in_flight(m, key, rv))
		queue_follow(m, key, now, w, waits);
	row_free(old);
	if (now)
		sw_reconciler_add(m->workloads, key);
	emb_notify(m, key);
}
