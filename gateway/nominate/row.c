/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row.c - Workloads: which of them wait for a place
 */
#include <stdlib.h>
#include <string.h>
#include "nominate_priv.h"
#include "spillway/text.h"

/* Quota is held, and nobody has said yet where: only such objects are kept. */
static bool is_open(json_t *w)
{
	json_t *active = sw_json_at(w, "spec.active");
	const char *placed = sw_json_str(w, "status.clusterName");

	return sw_json_condition_true(w, "QuotaReserved") && !sw_json_condition_true(w, "Finished") &&
	       !sw_json_condition_true(w, "Evicted") && (!placed || !*placed) &&
	       !sw_json_str(w, "metadata.deletionTimestamp") && (!active || json_object_get_boolean(active));
}

static bool is_multikueue(const struct sw_nominate *n, const char *check)
{
	const char *controller = sw_json_str(nom_thing_get(n, FEED_CHECKS, check), "spec.controllerName");

	return controller && strcmp(controller, SW_NOMINATE_CONTROLLER) == 0;
}

const char *nom_row_check(const struct sw_nominate *n, json_t *w)
{
	json_t *list = sw_json_at(w, "status.admissionChecks");
	const char *ours = NULL, *only = n->opt.config->manager_check;

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *c = sw_json_idx(list, i);
		const char *name = sw_json_str(c, "name"), *state = sw_json_str(c, "state");

		if (!name || !state)
			return NULL;
		if (is_multikueue(n, name) && strcmp(state, "Pending") == 0)
			ours = name;
		else if (strcmp(state, "Ready") != 0)
			return NULL; /* Kueue itself nominates nobody before the other checks are Ready */
	}
	return ours && (!*only || strcmp(only, ours) == 0) ? ours : NULL;
}

size_t nom_row_nominated(json_t *w, const char *names[NOMINATED_MAX])
{
	json_t *list = sw_json_at(w, "status.nominatedClusterNames");
	size_t n = 0;

	for (size_t i = 0; i < sw_json_len(list) && n < NOMINATED_MAX; i++) {
		json_t *name = sw_json_idx(list, i);

		if (json_object_is_type(name, json_type_string))
			names[n++] = json_object_get_string(name);
	}
	return n;
}

struct row *nom_row_find(const struct sw_nominate *n, const char *key)
{
	struct row *r = NULL;

	HASH_FIND_STR(n->rows, key, r);
	return r;
}

static void row_free(struct sw_nominate *n, struct row *r)
{
	HASH_DEL(n->rows, r);
	json_object_put(r->o);
	free(r->key);
	free(r);
}

/* Another reservation of quota is another dispatch, though the names of the one before may still stand there. */
static bool same_reservation(json_t *a, json_t *b)
{
	const char *one = sw_json_str(sw_json_condition(a, "QuotaReserved"), "lastTransitionTime");
	const char *two = sw_json_str(sw_json_condition(b, "QuotaReserved"), "lastTransitionTime");

	return one && two && strcmp(one, two) == 0;
}

void nom_row_apply(struct sw_nominate *n, const char *key, json_t *object)
{
	struct row *r = nom_row_find(n, key);

	if (!object || !is_open(object)) {
		if (r)
			row_free(n, r);
		return;
	}
	if (!r) {
		r = sw_calloc(1, sizeof(*r));
		r->key = sw_strdup(key);
		HASH_ADD_KEYPTR(hh, n->rows, r->key, strlen(r->key), r);
	}
	if (r->o && !same_reservation(r->o, object))
		r->began_ms = 0;
	json_object_get(object);
	json_object_put(r->o);
	r->o = object;
	sw_reconciler_add(n->queue, key);
}

void nom_rows_kick(struct sw_nominate *n)
{
	struct row *r, *next;

	HASH_ITER(hh, n->rows, r, next)
	sw_reconciler_add(n->queue, r->key);
}

void nom_rows_free(struct sw_nominate *n)
{
	struct row *r, *next;

	HASH_ITER(hh, n->rows, r, next)
	row_free(n, r);
}
