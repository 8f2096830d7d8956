/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c - get and list
 *
 * A list without a limit is streamed page by page, at the client's pace. With a limit it is built in
 * memory, because its head holds the continue token, which is known at the end. Selectors and
 * Tables need parsed objects: that happens on the pool, in item_pick().
 *
 * Pages that follow a continue token are read from a newer state than the first, but name the first
 * page's version: whoever watches from it is sent what changed in between.
 */
#include "api_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

enum { LIST_BYTES_MAX = 16 << 20, STREAM_FULL = 1 << 20 };

static struct sw_obj_key key_of(const struct request *q)
{
	return (struct sw_obj_key){sw_resource_storage(q->route.r)->id, q->route.ns, q->route.name};
}

/* ---- get ---------------------------------------------------------------------------- */

static void reply_object(struct request *q, struct sw_bytes *bytes)
{
	json_t *o = NULL;
	struct sw_buf b;
	if (shape_is_raw(&q->shape)) {
		reply_bytes(q, 200, bytes);
		return;
	}
	struct sw_err e = sw_json_parse(bytes->at, bytes->len, &o);
	sw_bytes_unref(bytes);
	if (sw_failed(e)) {
		reply_status(q, sw_status_of(e, q->route.r, q->route.name));
		return;
	}
	sw_buf_init(&b, SIZE_MAX);
	shape_convert(&q->shape, o);
	shape_object(&b, &q->shape, o, true);
	json_object_put(o);
	reply_buf(q, 200, "application/json", &b);
}

void handle_get(struct request *q)
{
	struct sw_obj_key key = key_of(q);
	struct sw_bytes *bytes = NULL;
	struct sw_err e = sw_store_get(q->api->store, &key, &bytes, NULL);
	if (e.code == SW_E_MISSING)
		reply_status(q, sw_status_not_found(q->route.r, q->route.name));
	else if (sw_failed(e))
		reply_status(q, sw_status_of(e, q->route.r, q->route.name));
	else
		reply_object(q, bytes);
}

/* ---- list: what was asked -------------------------------------------------------------- */

/* Belongs to the store's list, and is used on its threads. */
struct pick {
	struct selectors sel;
	struct shape shape;
};

struct lister {
	struct request *q;
	struct pick *pick;
	struct sw_list *list;
	struct shape head;
	size_t limit;               /* 0: none */
	uint64_t want_rv, shown_rv; /* shown: of the first page, when continuing */
	bool exact, began, more;
	struct sw_buf out; /* items so far */
	size_t n;
	char after_ns[254], after_name[254];
	struct stream *stream;
};

static json_t *rv_parse(const char *text, uint64_t *rv)
{
	char *end = NULL;
	*rv = 0;
	if (!text || !*text)
		return NULL;
	errno = 0;
	*rv = strtoull(text, &end, 10);
	if (*end || errno || *text == '-' || *text == '+' || *text == ' ')
		return sw_status(SW_REASON_INVALID,
				 "resourceVersion: Invalid value: \"%.100s\": must be a whole number", text);
	return NULL;
}

static json_t *match_parse(struct request *q, struct lister *l)
{
	const char *match = request_query(q, "resourceVersionMatch"), *rv = request_query(q, "resourceVersion");
	if (request_query(q, "sendInitialEvents"))
		return sw_status(SW_REASON_INVALID,
				 "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list");
	json_t *no = rv_parse(rv, &l->want_rv);
	if (no || !match || !*match)
		return no;
	if (!rv || !*rv)
		return sw_status(SW_REASON_INVALID, "resourceVersionMatch: Forbidden: resourceVersionMatch is "
						    "forbidden unless resourceVersion is provided");
	l->exact = strcmp(match, "Exact") == 0;
	if (!l->exact && strcmp(match, "NotOlderThan") != 0)
		return sw_status(SW_REASON_INVALID,
				 "resourceVersionMatch: Unsupported value: \"%.100s\": supported values: \"Exact\", "
				 "\"NotOlderThan\"",
				 match);
	if (l->exact && !l->want_rv)
		return sw_status(SW_REASON_INVALID, "resourceVersionMatch: Forbidden: resourceVersionMatch \"Exact\" "
						    "is forbidden for resourceVersion \"0\"");
	return NULL;
}

static json_t *continue_parse(const char *text, struct lister *l)
{
	unsigned char *raw = NULL;
	size_t n = 0;
	json_t *o = NULL;
	bool ok = !sw_failed(sw_base64_decode(text, strlen(text), &raw, &n)) &&
		  !sw_failed(sw_json_parse((char *)raw, n, &o));
	const char *name = sw_json_str(o, "name"), *ns = sw_json_str(o, "ns");
	ok = ok && name && ns && strlen(name) < sizeof(l->after_name) && strlen(ns) < sizeof(l->after_ns) && *name;
	if (ok) {
		memcpy(l->after_name, name, strlen(name) + 1);
		memcpy(l->after_ns, ns, strlen(ns) + 1);
		l->shown_rv = (uint64_t)sw_json_int(o, "rv", 0);
	}
	json_object_put(o);
	free(raw);
	return ok ? NULL : sw_status(SW_REASON_BAD_REQUEST, "continue key is not valid");
}

static json_t *limit_parse(struct request *q, struct lister *l)
{
	const char *limit = request_query(q, "limit"), *cont = request_query(q, "continue");
	char *end = NULL;
	long n = limit && *limit ? strtol(limit, &end, 10) : 0;
	if (n < 0 || (end && *end))
		return sw_status(SW_REASON_BAD_REQUEST,
				 "limit: found \"%.100s\", expected a number of objects, 0 or more", limit);
	l->limit = n > API_LIMIT_MAX ? API_LIMIT_MAX : (size_t)n;
	if (!cont || !*cont)
		return NULL;
	if (l->want_rv)
		return sw_status(SW_REASON_BAD_REQUEST,
				 "specifying resource version is not allowed when using continue");
	return continue_parse(cont, l);
}

static void continue_write(const struct lister *l, uint64_t rv, char **out)
{
	json_t *o = json_object_new_object();
	size_t n;
	sw_json_set_int(o, "rv", (int64_t)rv);
	sw_json_set_str(o, "ns", l->after_ns);
	sw_json_set_str(o, "name", l->after_name);
	char *text = sw_json_text(o, &n);
	*out = sw_base64(text, n);
	free(text);
	json_object_put(o);
}

/* ---- list: on the pool --------------------------------------------------------------------- */

static bool item_pick(void *filter, const char *bytes, size_t len, struct sw_buf *out)
{
	struct pick *p = filter;
	json_t *o = NULL;
	if (sw_failed(sw_json_parse(bytes, len, &o)))
		return false;
	shape_convert(&p->shape, o);
	bool kept = selectors_match(&p->sel, o);
	if (kept && !shape_is_raw(&p->shape))
		shape_item(out, &p->shape, o);
	json_object_put(o);
	return kept;
}

static void pick_release(void *filter)
{
	struct pick *p = filter;
	selectors_free(&p->sel);
	free(p);
}

/* ---- list: pages ------------------------------------------------------------------------------ */

static void lister_free(void *op)
{
	struct lister *l = op;
	sw_store_list_free(l->list); /* releases pick when no thread uses it */
	sw_buf_fini(&l->out);
	free(l);
}

static void item_take(struct lister *l, struct sw_buf *out, const struct sw_list_item *it)
{
	if (shape_is_raw(&l->head) && l->n)
		sw_buf_putc(out, ',');
	sw_buf_put(out, it->bytes, it->len);
	l->n++;
}

static void reply_whole(struct lister *l, uint64_t rv)
{
	struct sw_buf b;
	char *cont = NULL;
	if (l->shown_rv)
		rv = l->shown_rv;
	if (l->more)
		continue_write(l, rv, &cont);
	sw_buf_init(&b, SIZE_MAX);
	shape_list_begin(&b, &l->head, rv, cont ? cont : "");
	sw_buf_put(&b, l->out.at, l->out.len);
	shape_list_end(&b, &l->head);
	free(cont);
	if (!sw_buf_ok(&l->out))
		b.failed = true;
	reply_buf(l->q, 200, "application/json", &b);
}

static void on_drained(void *owner)
{
	struct lister *l = owner;
	sw_store_list_next(l->list);
}

static json_t *first_page_check(const struct lister *l, struct sw_err e, const struct sw_page *page)
{
	if (sw_failed(e))
		return sw_status_of(e, l->q->route.r, NULL);
	if (l->want_rv > page->rv) {
		json_t *no = sw_status(SW_REASON_TIMEOUT, "Timeout: Too large resource version: %llu, current: %llu",
				       (unsigned long long)l->want_rv, (unsigned long long)page->rv);
		sw_status_cause(no, "ResourceVersionTooLarge", "", "Too large resource version");
		sw_status_retry_after(no, 1);
		return no;
	}
	if (l->exact && l->want_rv != page->rv)
		return sw_status(SW_REASON_EXPIRED, "The resourceVersion for the provided list is too old.");
	return NULL;
}

static void page_stream(struct lister *l, const struct sw_page *page)
{
	if (!l->stream) {
		l->stream = reply_stream(l->q, "application/json");
		l->stream->drained = on_drained;
		l->stream->owner = l;
		shape_list_begin(&l->stream->out, &l->head, page->rv, "");
	}
	for (size_t i = 0; i < page->n; i++)
		item_take(l, &l->stream->out, &page->items[i]);
	if (page->last) {
		shape_list_end(&l->stream->out, &l->head);
		l->stream->ended = true;
		sw_store_list_free(l->list); /* the reader is free for others while the rest is sent */
		l->list = NULL;
	}
	stream_moved(l->stream);
	if (!page->last && stream_pending(l->stream) < STREAM_FULL)
		sw_store_list_next(l->list);
}

static void page_collect(struct lister *l, const struct sw_page *page)
{
	for (size_t i = 0; i < page->n; i++) {
		const struct sw_list_item *it = &page->items[i];
		if ((l->limit && l->n == l->limit) || l->out.len > LIST_BYTES_MAX) {
			l->more = true;
			break;
		}
		item_take(l, &l->out, it);
		snprintf(l->after_ns, sizeof(l->after_ns), "%s", it->ns);
		snprintf(l->after_name, sizeof(l->after_name), "%s", it->name);
	}
	if (!page->last && !l->more) {
		sw_store_list_next(l->list);
		return;
	}
	sw_store_list_free(l->list); /* the reader is free for others */
	l->list = NULL;
	reply_whole(l, page->rv);
}

static void on_page(void *owner, struct sw_err e, const struct sw_page *page)
{
	struct lister *l = owner;
	json_t *no = l->began ? NULL : first_page_check(l, e, page);
	if (no) {
		reply_status(l->q, no);
		return;
	}
	if (sw_failed(e)) {
		if (l->stream)
			stream_break(l->stream);
		else
			reply_status(l->q, sw_status_of(e, l->q->route.r, NULL));
		return;
	}
	bool whole = l->limit || l->shown_rv || (page->last && !l->began);
	l->began = true;
	if (whole)
		page_collect(l, page);
	else
		page_stream(l, page);
}

/* ---- list: start --------------------------------------------------------------------------------- */

/* metadata.name=x in one namespace is a get in disguise: kubectl get NAME -w and every informer of one object. */
static bool list_of_one(struct lister *l)
{
	struct request *q = l->q;
	const char *name = sw_selector_exact(l->pick->sel.fields, "metadata.name");
	struct sw_obj_key key = key_of(q);
	struct sw_bytes *bytes = NULL;
	if (!name || (q->route.r->namespaced && !*q->route.ns) || l->want_rv || *l->after_name)
		return false;
	key.name = name;
	uint64_t rv = sw_store_rv(q->api->store);
	struct sw_err e = sw_store_get(q->api->store, &key, &bytes, NULL);
	if (sw_failed(e) && e.code != SW_E_MISSING) {
		reply_status(q, sw_status_of(e, q->route.r, name));
		return true;
	}
	if (bytes && item_pick(l->pick, bytes->at, bytes->len, &l->out) && shape_is_raw(&l->head))
		sw_buf_put(&l->out, bytes->at, bytes->len);
	sw_bytes_unref(bytes);
	reply_whole(l, rv);
	return true;
}

static void list_start(struct lister *l)
{
	struct request *q = l->q;
	bool picking = selectors_any(&l->pick->sel) || !shape_is_raw(&l->pick->shape);
	const char *ns = q->route.r->namespaced ? l->pick->sel.ns : "";
	if (!ns)
		ns = sw_selector_exact(l->pick->sel.fields, "metadata.namespace");
	struct sw_list_cfg cfg = {
		.resource = sw_resource_storage(q->route.r)->id,
		.ns = ns,
		.limit = l->limit ? l->limit + 1 : 0,
		.after_ns = *l->after_name ? l->after_ns : NULL,
		.after_name = *l->after_name ? l->after_name : NULL,
		.pick = picking ? item_pick : NULL,
		.filter = l->pick,
		.release = pick_release,
	};
	struct sw_err e = sw_store_list(q->api->store, &cfg, on_page, l, &l->list);
	if (!sw_failed(e))
		return;
	pick_release(l->pick);
	reply_status(q, sw_status_of(e, q->route.r, NULL));
}

void handle_list(struct request *q)
{
	struct lister *l = sw_calloc(1, sizeof(*l));
	l->q = q;
	l->pick = sw_calloc(1, sizeof(*l->pick));
	l->pick->shape = l->head = q->shape;
	sw_buf_init(&l->out, SIZE_MAX);
	q->op = l;
	q->op_free = lister_free;
	json_t *no = match_parse(q, l);
	if (!no)
		no = limit_parse(q, l);
	if (!no)
		no = selectors_parse(q, &l->pick->sel);
	if (no)
		reply_status(q, no);
	if (no || list_of_one(l))
		pick_release(l->pick);
	else
		list_start(l);
}
