/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirrors.c - one row per mirror: a Workload on a cluster with Kueue that carries our origin
 *
 * What a row says is Kueue's own word (kueue.x-k8s.io/v1beta2, kueue v0.19.2: apis/kueue/v1beta2/workload_types.go).
 * Finished is looked at before Admitted: a Workload that its Kueue has given up keeps Admitted=True
 * (pkg/controller/core/workload_controller.go). As for copies, a reply is believed before the watch shows the same.
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

enum { WHY_MAX = 200 };

struct mirror_row *mirror_find(struct sw_worker *w, const char *key)
{
	struct mirror_row *row;
	HASH_FIND_STR(w->mirrors, key, row);
	return row;
}

static void row_clear(struct mirror_row *row)
{
	free(row->owner_uid);
	free(row->uid);
	free(row->pool);
	free(row->why);
	free(row->podsets);
	free(row->class);
	row->owner_uid = row->uid = row->pool = row->why = row->podsets = row->class = NULL;
}

static void row_free(struct sw_worker *w, struct mirror_row *row)
{
	HASH_DEL(w->mirrors, row);
	row_clear(row);
	free(row);
}

static struct mirror_row *row_new(struct sw_worker *w, const char *key)
{
	size_t n = strlen(key);
	struct mirror_row *row = sw_calloc(1, sizeof *row + n + 1);

	memcpy(row->key, key, n);
	HASH_ADD_KEYPTR(hh, w->mirrors, row->key, n, row);
	return row;
}

/* ---- what the object says ---------------------------------------------------------------- */

static char *text_of(const char *s)
{
	return sw_strdup(s ? s : "");
}

/* Its job ended: the end comes home with the job itself. */
static bool ended_with_job(json_t *workload)
{
	const char *reason = sw_json_str(sw_json_condition(workload, "Finished"), "reason");
	return reason && (strcmp(reason, "Succeeded") == 0 || strcmp(reason, "Failed") == 0);
}

static bool is_taken(json_t *workload)
{
	json_t *owners = sw_json_at(workload, "metadata.ownerReferences");
	for (size_t i = 0; i < sw_json_len(owners); i++)
		if (sw_json_bool(sw_json_idx(owners, i), "controller"))
			return true;
	return false;
}

static const char *false_message(json_t *workload, const char *type)
{
	json_t *c = sw_json_condition(workload, type);
	const char *message = sw_json_str(c, "message");
	return c && !sw_json_condition_true(workload, type) && message && *message ? message : NULL;
}

/* A check that the cluster itself has put between quota and admission. */
static const char *check_message(json_t *workload)
{
	json_t *checks = sw_json_at(workload, "status.admissionChecks");
	for (size_t i = 0; i < sw_json_len(checks); i++) {
		json_t *c = sw_json_idx(checks, i);
		const char *state = sw_json_str(c, "state"), *message = sw_json_str(c, "message");
		if (state && strcmp(state, "Ready") != 0)
			return message && *message ? message : "an admission check is not ready";
	}
	return NULL;
}

static char *why_not(json_t *workload)
{
	const char *why = sw_json_str(sw_json_condition(workload, "Finished"), "message");
	char text[WHY_MAX];

	if (!why && sw_json_condition_true(workload, "Evicted"))
		why = sw_json_str(sw_json_condition(workload, "Evicted"), "message");
	if (!why)
		why = false_message(workload, "QuotaReserved");
	if (!why)
		why = check_message(workload);
	if (!why)
		why = false_message(workload, "Admitted");
	sw_cut(text, sizeof text, why ? why : "");
	return sw_strdup(text);
}

/* What we told it last stands in the annotation: whatever its cluster has made of that since is not overwritten. */
static void priority_fill(struct mirror_row *row, json_t *workload)
{
	const char *told = sw_json_annotation(workload, SW_ANN_PRIORITY), *space = told ? strrchr(told, ' ') : NULL;

	if (space) {
		row->class = sw_asprintf("%.*s", (int)(space - told), told);
		row->priority = (int32_t)strtol(space + 1, NULL, 10);
		return;
	}
	row->class = text_of(sw_workload_priority_class(workload));
	row->priority = (int32_t)sw_json_int(workload, "spec.priority", 0);
}

static void row_fill(struct mirror_row *row, json_t *workload)
{
	const char *attempt = sw_json_annotation(workload, SW_ANN_ATTEMPT),
		   *rv = sw_json_str(workload, "metadata.resourceVersion");
	const char *reason = sw_json_str(sw_json_condition(workload, "Evicted"), "reason");
	json_t *active = sw_json_at(workload, "spec.active");
	bool finished = sw_json_condition_true(workload, "Finished");

	row_clear(row);
	row->owner_uid = text_of(sw_json_annotation(workload, SW_ANN_OWNER_UID));
	row->pool = text_of(sw_json_annotation(workload, SW_ANN_POOL));
	row->uid = text_of(sw_json_str(workload, "metadata.uid"));
	row->attempt = attempt ? (unsigned)strtoul(attempt, NULL, 10) : 0;
	row->version = rv ? strtoull(rv, NULL, 10) : 0;
	row->taken = is_taken(workload);
	row->deleting = sw_json_str(workload, "metadata.deletionTimestamp") != NULL;
	row->evicted = sw_json_condition_true(workload, "Evicted");
	row->unready = row->evicted && reason && strcmp(reason, "PodsReadyTimeout") == 0;
	row->over =
		(finished && !(row->taken && ended_with_job(workload))) || (active && !json_object_get_boolean(active));
	row->admitted = sw_json_condition_true(workload, "Admitted") && !finished && !row->evicted;
	row->why = row->admitted ? sw_strdup("") : why_not(workload);
	json_t *podsets = row->admitted && !row->taken ? sw_json_at(workload, "spec.podSets") : NULL;
	row->podsets = podsets ? sw_json_text(podsets, NULL) : NULL;
	priority_fill(row, workload);
}

/* The annotation is what makes it ours; the name is the manager's, so both must agree. */
static bool is_mirror(struct sw_worker *w, const char *key, json_t *workload)
{
	const char *origin = sw_json_label(workload, SW_LABEL_ORIGIN),
		   *of = sw_json_annotation(workload, SW_ANN_WORKLOAD);
	return origin && strcmp(origin, w->ws->origin) == 0 && of && strcmp(of, key) == 0;
}

static bool is_older(const struct mirror_row *row, json_t *workload)
{
	const char *rv = sw_json_str(workload, "metadata.resourceVersion"),
		   *uid = sw_json_str(workload, "metadata.uid");
	return rv && uid && row->uid && strcmp(uid, row->uid) == 0 && strtoull(rv, NULL, 10) < row->version;
}

/* ---- the watch, and replies --------------------------------------------------------------- */

static void row_put(struct sw_worker *w, const char *key, json_t *workload, bool early)
{
	struct mirror_row *row = mirror_find(w, key);
	const char *uid = sw_json_str(workload, "metadata.uid");

	if (row && !early)
		row->early = false;
	if (row && mirrors_in_sight(w) && is_older(row, workload))
		return;
	if (row && row->uid && uid && strcmp(row->uid, uid) != 0)
		row->swept_ms = 0;
	bool fresh = !row;
	if (fresh)
		row = row_new(w, key);
	row->early = early && (row->early || fresh);
	row_fill(row, workload);
	worker_work_changed(w, key);
}

static void row_gone(struct sw_worker *w, struct mirror_row *row)
{
	char *key = sw_strdup(row->key);
	row_free(w, row);
	worker_work_changed(w, key);
	free(key);
}

void mirrors_on_object(struct sw_worker *w, enum sw_obj_event ev, const char *key, json_t *workload)
{
	struct mirror_row *row = mirror_find(w, key);

	if (ev == SW_OBJ_PUT && is_mirror(w, key, workload))
		row_put(w, key, workload, false);
	else if (row)
		row_gone(w, row);
}

void mirrors_early(struct sw_worker *w, json_t *workload)
{
	const char *ns = sw_json_str(workload, "metadata.namespace"), *name = sw_json_str(workload, "metadata.name");
	char *key = sw_asprintf("%s/%s", ns ? ns : "", name ? name : "");
	if (is_mirror(w, key, workload))
		row_put(w, key, workload, true);
	free(key);
}

void mirrors_synced(struct sw_worker *w)
{
	struct mirror_row *row, *tmp;
	HASH_ITER(hh, w->mirrors, row, tmp)
	if (row->early)
		row_gone(w, row);
}

void mirrors_tell(struct sw_worker *w)
{
	struct mirror_row *row, *tmp;
	HASH_ITER(hh, w->mirrors, row, tmp)
	worker_work_changed(w, row->key);
}

void mirrors_unserved(struct sw_worker *w)
{
	struct mirror_row *row, *tmp;
	HASH_ITER(hh, w->mirrors, row, tmp)
	row_gone(w, row);
}

void mirrors_free(struct sw_worker *w)
{
	struct mirror_row *row, *tmp;
	HASH_ITER(hh, w->mirrors, row, tmp)
	row_free(w, row);
}

/* ---- the door ------------------------------------------------------------------------------ */

struct sw_offered sw_worker_offered(struct sw_worker *w, const char *key, const char *owner_uid)
{
	struct sw_offered o = {.seen = SW_COPY_UNKNOWN, .pool = "", .uid = "", .priority_class = "", .why = ""};
	const struct mirror_row *row = mirror_find(w, key);
	const char *slash = strchr(key, '/');

	if (!mirrors_in_sight(w))
		return o;
	o.seen = SW_COPY_ABSENT;
	if (!row) {
		char *ns = slash ? sw_asprintf("%.*s", (int)(slash - key), key) : sw_strdup("");
		if (foreign_is(w, MIRRORS, ns, slash ? slash + 1 : key))
			o.seen = SW_COPY_FOREIGN;
		free(ns);
		return o;
	}
	return (struct sw_offered){
		.seen = strcmp(row->owner_uid, owner_uid) == 0 ? SW_COPY_OURS : SW_COPY_STALE,
		.attempt = row->attempt,
		.ready = row->admitted && !row->over && !row->deleting,
		.evicted = row->evicted,
		.unready = row->unready,
		.over = row->over,
		.taken = row->taken,
		.deleting = row->deleting,
		.pool = row->pool,
		.uid = row->uid,
		.priority_class = row->class,
		.priority = row->priority,
		.why = row->why,
	};
}
