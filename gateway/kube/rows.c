/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.c - what a reflector remembers of each object, and whether an event is news
 *
 * Equal resourceVersion: seen already. Another uid under the same key: the old object went unseen, so its
 * end is told before the new one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "reflector_priv.h"
#include "spillway/text.h"

bool ref_row_key(json_t *object, char *buf, size_t size)
{
	json_t *meta = sw_json_key(object, "metadata");
	const char *ns = sw_json_str(meta, "namespace"), *name = sw_json_str(meta, "name");
	int n;

	if (!name || !*name || !sw_json_str(meta, "resourceVersion") || !sw_json_str(meta, "uid"))
		return false;
	n = ns && *ns ? snprintf(buf, size, "%s/%s", ns, name) : snprintf(buf, size, "%s", name);
	return n > 0 && (size_t)n < size;
}

static uint64_t hash_of(json_t *object, const char *field)
{
	const char *s = sw_json_str(sw_json_key(object, "metadata"), field);

	return sw_hash(s, strlen(s));
}

static bool tell(struct sw_reflector *r, enum sw_obj_event ev, const char *key, json_t *object)
{
	r->cfg.on_object(r->cfg.owner, ev, key, object);
	return reflector_alive(r);
}

static struct row *row_find(struct sw_reflector *r, const char *key)
{
	struct row *row;

	HASH_FIND_STR(r->rows, key, row);
	return row;
}

static struct row *row_new(struct sw_reflector *r, const char *key)
{
	size_t len = strlen(key);
	struct row *row = sw_calloc(1, sizeof *row + len + 1);

	memcpy(row->key, key, len + 1);
	HASH_ADD_STR(r->rows, key, row);
	return row;
}

bool row_put(struct sw_reflector *r, const char *key, json_t *object)
{
	struct row *row = row_find(r, key);
	uint64_t uid = hash_of(object, "uid"), rv = hash_of(object, "resourceVersion");
	bool replaced = row && row->uid != uid;

	if (row && !replaced && row->rv == rv) {
		row->mark = r->mark;
		return true;
	}
	if (!row)
		row = row_new(r, key);
	row->uid = uid;
	row->rv = rv;
	row->mark = r->mark;
	if (replaced && !tell(r, SW_OBJ_GONE, key, NULL))
		return false;
	return tell(r, SW_OBJ_PUT, key, object);
}

bool row_gone(struct sw_reflector *r, const char *key, json_t *object)
{
	struct row *row = row_find(r, key);

	if (!row || row->uid != hash_of(object, "uid"))
		return true;
	HASH_DEL(r->rows, row);
	free(row);
	return tell(r, SW_OBJ_GONE, key, object);
}

bool row_sweep(struct sw_reflector *r, struct row *row)
{
	bool alive;

	HASH_DEL(r->rows, row);
	alive = tell(r, SW_OBJ_GONE, row->key, NULL);
	free(row);
	return alive;
}

void rows_free(struct sw_reflector *r)
{
	struct row *row, *tmp;

	HASH_ITER(hh, r->rows, row, tmp)
	{
		HASH_DEL(r->rows, row);
		free(row);
	}
}
