/* SPDX-License-Identifier: Apache-2.0 */
/* store_write.c - a write's first half: precondition, resource version, staging for the commit thread */
#include "store_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

void op_list_init(struct op_list *l)
{
	l->first = NULL;
	l->last = &l->first;
	l->n = 0;
}

void op_list_add(struct op_list *l, struct store_op *op)
{
	op->next = NULL;
	*l->last = op;
	l->last = &op->next;
	l->n++;
}

void op_list_move(struct op_list *to, struct op_list *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	to->n += from->n;
	op_list_init(from);
}

struct store_op *op_list_take(struct op_list *l)
{
	struct store_op *op = l->first;
	if (!op)
		return NULL;
	l->first = op->next;
	if (!l->first)
		l->last = &l->first;
	l->n--;
	op->next = NULL;
	return op;
}

void store_op_free(struct store_op *op)
{
	if (!op)
		return;
	sw_bytes_unref(op->object);
	sw_bytes_unref(op->before);
	free(op);
}

static const char *put_str(char **at, const char *s)
{
	size_t n = strlen(s) + 1;
	const char *copy = memcpy(*at, s, n);
	*at += n;
	return copy;
}

/* One allocation: the struct, the id (resource, ns, name), uid, owners. */
static struct store_op *op_new(const struct sw_obj_key *key, const char *uid, const char *const *owners)
{
	size_t id_len = strlen(key->resource) + strlen(key->ns) + strlen(key->name) + 3;
	size_t n_owners = 0, text = id_len + (uid ? strlen(uid) : 0) + 1;
	for (; owners && owners[n_owners]; n_owners++)
		text += strlen(owners[n_owners]) + 1;
	size_t pad = (sizeof(void *) - (sizeof(struct store_op) + text) % sizeof(void *)) % sizeof(void *);
	size_t size = sizeof(struct store_op) + text + pad + (n_owners ? (n_owners + 1) * sizeof(char *) : 0);
	struct store_op *op = calloc(1, size);
	if (!op)
		return NULL;
	char *at = op->id;
	op->key.resource = put_str(&at, key->resource);
	op->key.ns = put_str(&at, key->ns);
	op->key.name = put_str(&at, key->name);
	op->id_len = id_len;
	op->uid = put_str(&at, uid ? uid : "");
	op->bytes = size;
	if (n_owners) {
		const char **list = (const char **)(void *)((char *)op + sizeof(*op) + text + pad);
		for (size_t i = 0; i < n_owners; i++)
			list[i] = put_str(&at, owners[i]);
		op->owner_uids = list;
	}
	return op;
}

void store_turn_end(uv_prepare_t *h)
{
	struct sw_store *s = h->data;
	uv_prepare_stop(h);
	if (!s->staged.first)
		return;
	pthread_mutex_lock(&s->commit.lock);
	op_list_move(&s->commit.queued, &s->staged);
	pthread_cond_signal(&s->commit.work);
	pthread_mutex_unlock(&s->commit.lock);
}

static void op_stage(struct sw_store *s, struct store_op *op)
{
	struct store_op *older;
	HASH_FIND(hh, s->newest, op->id, op->id_len, older);
	if (older)
		HASH_DELETE(hh, s->newest, older);
	HASH_ADD_KEYPTR(hh, s->newest, op->id, op->id_len, op);
	s->flight_bytes += op->bytes;
	op_list_add(&s->staged, op);
	uv_prepare_start(&s->turn_end, store_turn_end);
}

/* Head, the digits of rv, tail: the one copy that a write makes. */
static struct sw_bytes *body_with_rv(const struct sw_put *put, uint64_t rv)
{
	char digits[24];
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)rv);
	struct sw_bytes *b = sw_bytes_new(NULL, put->head_len + n + put->tail_len);
	if (!b)
		return NULL;
	memcpy(b->at, put->head, put->head_len);
	memcpy(b->at + put->head_len, digits, n);
	memcpy(b->at + put->head_len + n, put->tail, put->tail_len);
	return b;
}

static struct sw_err check_expected(const struct sw_put *put, const struct store_found *now, bool is_delete)
{
	const struct sw_obj_key *k = &put->key;
	if (put->expect_rv == SW_RV_ABSENT && now->exists)
		return sw_err(SW_E_EXISTS, "%s \"%s\" already exists", k->resource, k->name);
	if (put->expect_rv == SW_RV_ABSENT && !is_delete)
		return SW_OK;
	if (!now->exists && (is_delete || put->expect_rv != SW_RV_ANY))
		return sw_err(SW_E_MISSING, "%s \"%s\" not found", k->resource, k->name);
	if (put->expect_rv != SW_RV_ANY && put->expect_rv != now->rv)
		return sw_err(SW_E_CONFLICT, "%s \"%s\": resourceVersion is %llu, not %llu", k->resource, k->name,
			      (unsigned long long)now->rv, (unsigned long long)put->expect_rv);
	return SW_OK;
}

static struct sw_err write_object(struct sw_store *s, const struct sw_put *put, bool is_delete, sw_commit_fn *done,
				  void *owner, uint64_t *rv)
{
	if (s->flight_bytes > STORE_FLIGHT_BYTES)
		return sw_err(SW_E_BUSY, "store: %zu bytes wait to be committed; try again in a second",
			      s->flight_bytes);
	struct store_found now;
	struct sw_err e = store_find(s, &put->key, put->expect_rv != SW_RV_ABSENT, &now);
	if (!sw_failed(e))
		e = check_expected(put, &now, is_delete);
	struct store_op *op = sw_failed(e) ? NULL : op_new(&put->key, put->uid, put->owner_uids);
	struct sw_bytes *body = op ? body_with_rv(put, s->given_rv + 1) : NULL;
	if (!body) {
		store_op_free(op);
		sw_bytes_unref(now.body);
		return sw_failed(e) ? e : sw_err(SW_E_NOMEM, "store: out of memory");
	}
	op->what = is_delete ? STORE_DELETE : now.exists ? STORE_UPDATE : STORE_INSERT;
	op->res = store_res(s, put->key.resource);
	op->rv = ++s->given_rv;
	op->object = body;
	op->before = now.body;
	op->bytes += body->len + (now.body && !now.in_flight ? now.body->len : 0);
	op->done = done;
	op->owner = owner;
	op_stage(s, op);
	if (rv)
		*rv = op->rv;
	return SW_OK;
}

struct sw_err sw_store_put(struct sw_store *s, const struct sw_put *put, sw_commit_fn *done, void *owner, uint64_t *rv)
{
	return write_object(s, put, false, done, owner, rv);
}

struct sw_err sw_store_delete(struct sw_store *s, const struct sw_put *last_state, sw_commit_fn *done, void *owner,
			      uint64_t *rv)
{
	return write_object(s, last_state, true, done, owner, rv);
}

struct sw_err sw_store_note_put(struct sw_store *s, const char *key, const void *bytes, size_t len, sw_commit_fn *done,
				void *owner)
{
	if (s->flight_bytes > STORE_FLIGHT_BYTES)
		return sw_err(SW_E_BUSY, "store: %zu bytes wait to be committed; try again in a second",
			      s->flight_bytes);
	struct sw_obj_key id = {.resource = "", .ns = "", .name = key};
	struct store_op *op = op_new(&id, NULL, NULL);
	struct sw_bytes *body = op && bytes ? sw_bytes_new(bytes, len) : NULL;
	if (!op || (bytes && !body)) {
		store_op_free(op);
		return sw_err(SW_E_NOMEM, "store: out of memory");
	}
	op->what = bytes ? STORE_NOTE : STORE_NOTE_DROP;
	op->object = body;
	op->bytes += len;
	op->done = done;
	op->owner = owner;
	op_stage(s, op);
	return SW_OK;
}
