/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row.c - one compact row per Workload that is ours
 *
 * Ours is a Workload whose status lists a check of ours, and one that has a row with a winner already: taking the check
 * out of the ClusterQueue does not end the jobs that run. What dispatch sees is spread out of the row on demand.
 *
 * When is an attempt over? Kueue's eviction resets our check to Pending but leaves a clusterName that we wrote, and it
 * may reserve quota again before the copy is swept. We write clusterName and Ready together, so a clusterName beside
 * any other state says that the attempt which won is over and owes its release. Kueue counts an eviction when it
 * writes it; until the release, the row still speaks of the attempt before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mirror_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

/* Kueue copies it from the job (kueue v0.19.2, pkg/workloadslicing/workloadslicing.go, IsElasticWorkload). */
#define ANN_ELASTIC "kueue.x-k8s.io/elastic-job"

enum { BYTES_MAX = 32 << 20 /* of Workloads kept whole */, OBJECT_MAX = 2 << 20, SWEEP_MS = 10 * 60 * 1000 };

/* ---- reading a Workload ---------------------------------------------------------------------- */

struct owner {
	uint8_t kind;
	const char *name, *uid;
};

static uint8_t kind_index(const struct sw_kind *k)
{
	size_t i = 0;

	while (k && sw_kind_at(i) && sw_kind_at(i) != k)
		i++;
	return k && i < KIND_UNKNOWN ? (uint8_t)i : KIND_UNKNOWN;
}

/* The controlling owner of a kind we know; else any owner, as a kind we do not know. */
static bool owner_read(json_t *w, struct owner *out)
{
	json_t *list = sw_json_at(w, "metadata.ownerReferences");
	bool found = false;

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *o = sw_json_idx(list, i);
		struct owner one = {kind_index(sw_kind_of(o)), sw_json_str(o, "name"), sw_json_str(o, "uid")};

		if (!one.name || !one.uid || (found && one.kind == KIND_UNKNOWN))
			continue;
		*out = one;
		found = true;
		if (one.kind != KIND_UNKNOWN)
			return true;
	}
	return found;
}

static enum sw_check state_read(json_t *check)
{
	const char *state = sw_json_str(check, "state");

	for (int s = SW_CHECK_PENDING; state && s <= SW_CHECK_REJECTED; s++)
		if (strcmp(state, sw_check_name((enum sw_check)s)) == 0)
			return (enum sw_check)s;
	return SW_CHECK_PENDING;
}

/* Our check's place and state, and whether all others are Ready. gives the message. */
static char *checks_read(struct mir *m, json_t *o, struct wl *w)
{
	json_t *list = sw_json_at(o, "status.admissionChecks");
	char *message = NULL;

	w->flags |= WL_OTHERS_READY;
	for (size_t i = 0; i < sw_json_len(list) && i < 255; i++) {
		json_t *c = sw_json_idx(list, i);
		const char *name = sw_json_str(c, "name"), *said = sw_json_str(c, "message");

		if (!name || !check_is_ours(m, name) || (w->flags & WL_CHECKED)) {
			w->flags &= (uint16_t)(state_read(c) == SW_CHECK_READY ? ~0 : ~WL_OTHERS_READY);
			continue;
		}
		w->flags |= WL_CHECKED | (sw_json_key(c, "requeueAfterSeconds") ? WL_REQUEUE_SET : 0);
		w->check = (uint8_t)state_read(c);
		w->check_at = (uint8_t)i;
		message = said && *said ? sw_strdup(said) : NULL;
	}
	return message;
}

static uint16_t flags_read(json_t *w)
{
	json_t *active = sw_json_at(w, "spec.active");
	const char *elastic = sw_json_annotation(w, ANN_ELASTIC);
	unsigned f = 0;

	f |= !active || json_object_get_boolean(active) ? WL_ACTIVE : 0;
	f |= sw_json_condition_true(w, "QuotaReserved") ? WL_RESERVED : 0;
	f |= sw_json_condition_true(w, "Evicted") ? WL_EVICTED : 0;
	f |= sw_json_condition_true(w, "Finished") ? WL_FINISHED : 0;
	f |= sw_json_str(w, "metadata.deletionTimestamp") ? WL_DELETING : 0;
	f |= elastic && strcmp(elastic, "true") == 0 ? WL_ELASTIC : 0;
	return (uint16_t)f;
}

static const char *nominated_read(struct mir *m, json_t *w)
{
	json_t *list = sw_json_at(w, "status.nominatedClusterNames");
	struct sw_buf b;
	const char *text = NULL;

	sw_buf_init(&b, 64 << 10);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *name = json_object_get_string(sw_json_idx(list, i));

		sw_buf_printf(&b, "%s%s", i ? "," : "", name ? name : "");
	}
	if (b.len && sw_buf_ok(&b))
		text = name_intern(&m->names, b.at);
	sw_buf_fini(&b);
	return text;
}

static struct wl *wl_alloc(const char *key, const struct owner *o)
{
	const struct sw_kind *k = o->kind == KIND_UNKNOWN ? NULL : sw_kind_at(o->kind);
	size_t n = strlen(key), len = strlen(o->name), skip = strcspn(key, "/") + 1 + (k ? strlen(k->kind) + 1 : 0);
	bool inside = k && skip + len < n && strncmp(key + skip, o->name, len) == 0;
	struct wl *w = sw_calloc(1, sizeof(*w) + n + 1 + (inside ? 0 : len));

	memcpy(w->text, key, n);
	if (!inside)
		memcpy(w->text + n + 1, o->name, len);
	w->job_at = (uint16_t)(inside ? skip : n + 1);
	w->job_len = (uint16_t)len;
	w->kind = o->kind;
	return w;
}

uint64_t rv_of(json_t *o)
{
	const char *text = sw_json_str(o, "metadata.resourceVersion");
	char *end = NULL;
	uint64_t rv = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;

	return end && !*end ? rv : 0;
}

static uint32_t finished_read(json_t *o)
{
	const char *at = sw_json_str(sw_json_condition(o, "Finished"), "lastTransitionTime");
	int64_t ms = 0;

	if (!at || sw_failed(sw_time_parse(at, &ms)) || ms < 0)
		return 0;
	return (uint32_t)(ms / 1000);
}

static struct wl *wl_new(struct mir *m, const char *key, json_t *o)
{
	const char *created = sw_json_str(o, "metadata.creationTimestamp");
	unsigned char uid[16], job_uid[16];
	struct owner owner;
	uint64_t rv = rv_of(o);

	if (!rv || !owner_read(o, &owner) || strlen(owner.name) > 253 || strlen(key) >= KEY_MAX ||
	    !uid_pack(sw_json_str(o, "metadata.uid"), uid) || !uid_pack(owner.uid, job_uid))
		return NULL;
	struct wl *w = wl_alloc(key, &owner);

	memcpy(w->uid, uid, 16);
	memcpy(w->job_uid, job_uid, 16);
	w->rv = rv;
	w->flags = flags_read(o);
	w->message = checks_read(m, o, w);
	w->base = message_split(w->message);
	w->queue = name_intern(&m->names, sw_json_str(o, "spec.queueName"));
	w->cluster_queue = name_intern(&m->names, sw_json_str(o, "status.admission.clusterQueue"));
	w->cluster = name_intern(&m->names, sw_json_str(o, "status.clusterName"));
	w->nominated = nominated_read(m, o);
	if (created && sw_failed(sw_time_parse(created, &w->created_ms)))
		w->created_ms = 0;
	w->priority = (int32_t)sw_json_int(o, "spec.priority", 0);
	w->priority_class = name_intern(&m->names, sw_workload_priority_class(o));
	w->evictions = (uint16_t)evictions_of(o);
	w->finished_s = finished_read(o);
	return w;
}

/* ---- the whole object, for those who will read it ---------------------------------------------- */

void wl_forget_bytes(struct mir *m, struct wl *w)
{
	if (w->bytes)
		m->bytes_kept -= w->len;
	free(w->bytes);
	w->bytes = NULL;
	w->len = 0;
}

/* Read for what the Workload asks for, which most events leave as it is: then the text of the row before is as good. */
static bool take_bytes(struct mir *m, struct wl *w, struct wl *old)
{
	if (!old || !old->bytes || !w->mark || w->mark != old->mark || memcmp(w->uid, old->uid, 16) != 0)
		return false;
	wl_forget_bytes(m, w);
	w->bytes = old->bytes;
	w->len = old->len;
	old->bytes = NULL;
	old->len = 0;
	return true;
}

static void keep_bytes(struct mir *m, struct wl *w, struct wl *old, json_t *o)
{
	bool ends = (w->flags & (WL_FINISHED | WL_DELETING)) || wl_over(w);
	size_t len;

	if (!(w->flags & WL_RESERVED) || w->cluster || ends) /* once placed it was read */
		return;
	w->mark = mark_read(o);
	if (take_bytes(m, w, old) || m->bytes_kept >= BYTES_MAX)
		return;
	w->bytes = sw_json_text(o, &len);
	w->len = (uint32_t)len;
	if (len > OBJECT_MAX) {
		free(w->bytes);
		w->bytes = NULL;
		return;
	}
	m->bytes_kept += len;
}

void wl_free(struct mir *m, struct wl *w)
{
	if (!w)
		return;
	wl_forget_bytes(m, w);
	free(w->message);
	free(w->base);
	free(w);
}

/* ---- questions ---------------------------------------------------------------------------------- */

const char *wl_key(const void *row)
{
	return ((const struct wl *)row)->text;
}

struct wl *wl_find(struct mir *m, const char *key)
{
	return sw_keymap_find(&m->rows, key);
}

const struct sw_kind *wl_kind(const struct wl *w)
{
	return w->kind == KIND_UNKNOWN ? NULL : sw_kind_at(w->kind);
}

void wl_ns(const struct wl *w, char buf[260])
{
	snprintf(buf, 260, "%.*s", (int)strcspn(w->text, "/"), w->text);
}

void wl_job_name(const struct wl *w, char buf[254])
{
	snprintf(buf, 254, "%.*s", w->job_len, w->text + w->job_at);
}

static struct job *job_of_name(struct mir *m, const struct wl *w)
{
	char ns[260], name[254];

	wl_ns(w, ns);
	wl_job_name(w, name);
	return wl_kind(w) ? job_find(m, wl_kind(w), ns, name) : NULL;
}

struct job *wl_job(struct mir *m, const struct wl *w)
{
	struct job *j = w->job ? w->job : job_of_name(m, w);

	return j && memcmp(j->uid, w->job_uid, 16) == 0 ? j : NULL;
}

static bool wl_done(struct mir *m, const struct wl *w)
{
	struct job *j = (w->flags & (WL_FINISHED | WL_GONE)) ? NULL : wl_job(m, w);

	if (w->flags & WL_GONE) /* Kueue may have written Finished on it because its job was deleted */
		return false;
	return (w->flags & WL_FINISHED) || (j && (j->flags & JOB_DONE));
}

bool wl_over(const struct wl *w)
{
	if (w->flags & WL_FINISHED)
		return false;
	return ((w->flags & WL_EVICTED) && ((w->flags & WL_RESERVED) || w->cluster)) ||
	       (w->cluster && (w->flags & WL_CHECKED) && w->check != SW_CHECK_READY) || w->check == SW_CHECK_RETRY;
}

bool wl_may_place(struct mir *m, const struct wl *w)
{
	const unsigned all = WL_RESERVED | WL_OTHERS_READY | WL_CHECKED;
	struct job *j = wl_job(m, w);

	return (w->flags & all) == all && !(w->flags & WL_ELASTIC) && j && (j->flags & JOB_MANAGED);
}

bool wl_nominates(const struct wl *w, const char *cluster)
{
	size_t n = strlen(cluster);

	for (const char *at = w->nominated; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == n && strncmp(at, cluster, n) == 0)
			return true;
	return false;
}

/* An eviction that Kueue has counted, but whose release is owed, is still of the attempt before. */
static unsigned attempt_of(const struct wl *w)
{
	bool counted = wl_over(w) && !(w->check == SW_CHECK_RETRY && !(w->flags & WL_EVICTED));

	return 1u + w->evictions - (counted && w->evictions ? 1 : 0);
}

/* ---- shown to dispatch ------------------------------------------------------------------------------ */

/* Dispatch reads job and Workload together, and again when this has moved. */
static uint64_t mark_of(struct mir *m, const struct wl *r)
{
	const struct job *j = wl_job(m, r);
	uint64_t h = j ? j->mark : 0;

	if (!h)
		return 0;
	h = h * 31 + (uint32_t)r->priority;
	h = h * 31 + (r->priority_class ? sw_hash(r->priority_class, strlen(r->priority_class)) : 0);
	return h ? h : 1;
}

static const struct sw_workload *wl_show(struct mir *m, const struct wl *r)
{
	struct sw_workload *w = arena_take(&m->arena, sizeof(*w));
	unsigned f = r->flags;

	*w = (struct sw_workload){
		.key = arena_str(&m->arena, r->text, strlen(r->text)), /* the row may go within the turn */
		.ns = arena_str(&m->arena, r->text, strcspn(r->text, "/")),
		.uid = uid_text(r->uid, arena_take(&m->arena, 37)),
		.rv = r->rv,
		.kind = wl_kind(r),
		.job_name = arena_str(&m->arena, r->text + r->job_at, r->job_len),
		.job_uid = uid_text(r->job_uid, arena_take(&m->arena, 37)),
		.job_mark = mark_of(m, r),
		.queue = r->queue ? r->queue : "",
		.cluster_queue = r->cluster_queue ? r->cluster_queue : "",
		.cluster = r->cluster,
		.message = r->message ? arena_str(&m->arena, r->message, strlen(r->message)) : "",
		.created_ms = r->created_ms,
		.priority = r->priority,
		.priority_class = r->priority_class ? r->priority_class : "",
		.attempt = attempt_of(r),
		.nominated = r->nominated != NULL,
		.check = (enum sw_check)r->check,
		.active = f & WL_ACTIVE,
		.reserved = r->cluster ? (f & WL_RESERVED) != 0 : wl_may_place(m, r),
		.evicted = wl_over(r),
		.finished = wl_done(m, r),
		.deleting = f & (WL_DELETING | WL_JOB_GONE),
	};
	return w;
}

static bool is_shown(const struct wl *w)
{
	return w->kind != KIND_UNKNOWN;
}

const struct sw_workload *mir_get(struct sw_manager *base, const char *key)
{
	struct mir *m = mir_of(base);
	uint64_t turn = sw_loop_turns(m->loop).turns;
	struct wl *w = wl_find(m, key);

	if (turn != m->arena_turn)
		arena_reset(&m->arena);
	m->arena_turn = turn;
	return w && is_shown(w) ? wl_show(m, w) : NULL;
}

void mir_each(struct sw_manager *base, void (*fn)(void *owner, const struct sw_workload *w), void *owner)
{
	struct mir *m = mir_of(base);
	struct arena *before = m->arena;
	struct wl *w;

	m->arena = NULL; /* of this walk: each row only lasts for its call, in which get() starts no new turn */
	if (m->arena_turn != sw_loop_turns(m->loop).turns)
		arena_free(&before);
	m->arena_turn = sw_loop_turns(m->loop).turns;
	for (size_t at = 0; (w = sw_keymap_next(&m->rows, &at));) {
		if (is_shown(w))
			fn(owner, wl_show(m, w));
		arena_reset(&m->arena);
	}
	arena_free(&m->arena);
	m->arena = before;
}

/* ---- following the API server -------------------------------------------------------------------------- */

void wl_changed_key(struct mir *m, const char *key)
{
	if (m->watched && m->ev.on_change && !m->closing)
		m->ev.on_change(m->ev.owner, key);
	ops_wake(m, key);
}

void wl_changed(struct mir *m, const struct wl *w)
{
	wl_changed_key(m, w->text);
	self_look(m, w);
}

static void link_job(struct mir *m, struct wl *was, struct wl *is)
{
	if (was)
		job_couple(NULL, was);
	struct job *j = is ? job_of_name(m, is) : NULL;

	if (!j || memcmp(j->uid, is->job_uid, 16) != 0)
		return;
	job_couple(j, is);
	if (j->flags & JOB_DELETING)
		is->flags |= WL_JOB_GONE;
}

/* What was not written yet stays said, as long as it is about the same run. */
static void carry_unsaid(struct wl *old, struct wl *now)
{
	if (!(old->flags & WL_UNSAID) || now->check != SW_CHECK_READY || !now->cluster || now->cluster != old->cluster)
		return;
	free(now->message);
	now->message = old->message;
	old->message = NULL;
	now->flags |= WL_UNSAID;
}

static void replace(struct mir *m, struct wl *old, struct wl *now)
{
	if (now && old)
		carry_unsaid(old, now);
	if (now && old && memcmp(old->job_uid, now->job_uid, 16) == 0)
		now->flags |= old->flags & (WL_JOB_GONE | WL_SWEPT);
	if (now)
		sw_keymap_put(&m->rows, now);
	else
		sw_keymap_remove(&m->rows, old->text);
	link_job(m, old, now);
	sw_metric_set(m->m_rows, (double)m->rows.len);
}

void wl_drop(struct mir *m, struct wl *w)
{
	char key[KEY_MAX];

	snprintf(key, sizeof(key), "%s", w->text);
	replace(m, w, NULL);
	wl_free(m, w);
	wl_changed_key(m, key);
}

/* The end was long ago: its copies went then. */
static bool ended_before(struct mir *m, const struct wl *w)
{
	return (w->flags & WL_FINISHED) && sw_loop_wall(m->loop) - (int64_t)w->finished_s * 1000 > SWEEP_MS;
}

/* The object is gone. Copies may be left: the row stays until dispatch has swept them. */
static void wl_gone(struct mir *m, struct wl *w)
{
	bool offered = w->cluster || w->nominated;

	if (!offered || (w->flags & WL_SWEPT) || ended_before(m, w) || !is_shown(w)) {
		wl_drop(m, w);
		return;
	}
	w->flags |= WL_GONE | WL_DELETING;
	wl_forget_bytes(m, w);
	wl_changed(m, w);
}

static bool is_ours(struct mir *m, const struct wl *now, const struct wl *old, json_t *o)
{
	json_t *list = sw_json_at(o, "status.admissionChecks");

	if (now->flags & WL_CHECKED)
		return true;
	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *name = sw_json_str(sw_json_idx(list, i), "name");

		if (name && check_is_multikueue(m, name))
			return false;
	}
	return old && now->cluster;
}

void wl_apply(struct mir *m, const char *key, json_t *o)
{
	struct wl *old = wl_find(m, key), *now = o ? wl_new(m, key, o) : NULL;
	bool same = old && now && memcmp(old->uid, now->uid, 16) == 0;

	if (same && now->rv <= old->rv) { /* a watch that is behind a reply */
		wl_free(m, now);
		return;
	}
	if (now && !is_ours(m, now, same ? old : NULL, o)) {
		wl_free(m, now);
		now = NULL;
	}
	if (!now && !old)
		return;
	if (!now && !o) {
		wl_gone(m, old);
		return;
	}
	if (!now) { /* it lost our check before anything ran */
		wl_drop(m, old);
		return;
	}
	replace(m, old, now);
	keep_bytes(m, now, old, o);
	wl_free(m, old);
	wl_changed(m, now);
}
