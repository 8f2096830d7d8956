/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_list.c - lists a collection page by page and finds what is gone
 *
 * Every list has a mark; rows that a complete list did not touch are swept. A list that breaks off, or
 * whose continue token expires, starts again with a new mark: what it delivered is known and not told twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "reflector_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

static void page_request(struct sw_reflector *r);

static void list_failed(struct sw_reflector *r, struct sw_err e)
{
	list_scan_fini(&r->scan);
	sw_buf_fini(&r->body);
	reflector_backoff(r, e);
}

/* ---- items ------------------------------------------------------------------------------- */

/* API servers leave these out of the items of built-in lists. */
static void add_kind(const struct list_scan *s, json_t *object)
{
	size_t n = s->kind ? strlen(s->kind) : 0;

	if (n > 4 && strcmp(s->kind + n - 4, "List") == 0 && !sw_json_key(object, "kind"))
		json_object_object_add(object, "kind", json_object_new_string_len(s->kind, (int)n - 4));
	if (s->api_version && !sw_json_key(object, "apiVersion"))
		json_object_object_add(object, "apiVersion", json_object_new_string(s->api_version));
}

/* e is the reason when it returns false and the reflector is alive. */
static bool item_deliver(struct sw_reflector *r, const char *item, size_t len, struct sw_err *e)
{
	json_t *object = NULL;
	char key[640];
	bool go_on = false;

	*e = kube_parse(r->kube, item, len, &object);
	if (!sw_failed(*e) && !ref_row_key(object, key, sizeof key))
		*e = sw_err(SW_E_NET, "list reply: an item without metadata.name, uid or resourceVersion");
	if (sw_failed(*e)) {
		*e = sw_err_wrap(*e, "cluster %s: GET %s", r->name, r->cfg.path);
	} else {
		add_kind(&r->scan, object);
		go_on = row_put(r, key, object);
	}
	json_object_put(object);
	return go_on;
}

/* ---- the end of a page ---------------------------------------------------------------------- */

static void list_complete(struct sw_reflector *r, const char *rv)
{
	reflector_set_rv(r, rv);
	r->is_listed = true;
	r->must_ask = false;
	r->sweep = r->rows;
	reflector_goto(r, REFLECTOR_SWEEP);
	sw_timer_in(r->step, 0);
}

static void page_complete(struct sw_reflector *r)
{
	const char *cont = sw_json_str(r->scan.metadata, "continue"),
		   *rv = sw_json_str(r->scan.metadata, "resourceVersion");

	free(r->cont);
	r->cont = cont && *cont ? sw_strdup(cont) : NULL;
	if (r->cont)
		page_request(r);
	else if (rv && *rv)
		list_complete(r, rv);
	else
		reflector_backoff(
			r, sw_err(SW_E_NET,
				  "cluster %s: GET %s: found a reply without metadata.resourceVersion, expected a list",
				  r->name, r->cfg.path));
	list_scan_fini(&r->scan);
	sw_buf_fini(&r->body);
}

void reflector_list_step(struct sw_reflector *r)
{
	uint64_t began = uv_hrtime();
	const char *item;
	size_t len;
	struct sw_err e;

	do {
		switch (list_scan_next(&r->scan, &item, &len)) {
		case SCAN_ITEM:
			if (item_deliver(r, item, len, &e))
				break;
			if (reflector_alive(r))
				list_failed(r, e);
			return;
		case SCAN_END:
			page_complete(r);
			return;
		case SCAN_BAD:
			list_failed(r, sw_err_wrap(r->scan.err, "cluster %s: GET %s", r->name, r->cfg.path));
			return;
		}
		if (r->state != REFLECTOR_PAGE) /* rekeyed by a callback */
			return;
	} while (!sw_loop_slice_over(r->loop, began));
	sw_timer_in(r->step, 0);
}

/* ---- the sweep --------------------------------------------------------------------------------- */

void reflector_sweep_step(struct sw_reflector *r)
{
	uint64_t began = uv_hrtime();

	while (r->sweep) {
		struct row *row = r->sweep;
		r->sweep = row->hh.next;
		if (row->mark != r->mark && !row_sweep(r, row))
			return;
		if (r->state != REFLECTOR_SWEEP)
			return;
		if (sw_loop_slice_over(r->loop, began)) {
			sw_timer_in(r->step, 0);
			return;
		}
	}
	reflector_watch(r);
}

/* ---- asking -------------------------------------------------------------------------------------- */

static void on_page(struct sw_reflector *r, struct sw_err err, const struct sw_kube_reply *reply)
{
	if (reply->status == 410 && r->cont) { /* the token expired: not a loss, the server answered */
		sw_log(INFO, "kube", "list took too long, starting again", "cluster=%s path=\"%s\"", r->name,
		       r->cfg.path);
		reflector_pause(r);
		return;
	}
	if (err.code == SW_E_TOOBIG && r->page > 1) {
		r->page /= 2;
		sw_log(INFO, "kube", "page too big, asking for smaller ones", "cluster=%s path=\"%s\" page=%u", r->name,
		       r->cfg.path, r->page);
		page_request(r);
		return;
	}
	if (sw_failed(err)) {
		reflector_backoff(r, err);
		return;
	}
	sw_buf_put(&r->body, reply->body, reply->len);
	if (!sw_buf_ok(&r->body)) {
		list_failed(r, sw_err(SW_E_NOMEM, "cluster %s: GET %s: out of memory", r->name, r->cfg.path));
		return;
	}
	list_scan_init(&r->scan, r->body.at ? r->body.at : "", r->body.len);
	reflector_goto(r, REFLECTOR_PAGE);
	sw_timer_in(r->step, 0);
}

static void on_page_done(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_reflector *r = owner;

	r->call = NULL;
	reflector_enter(r);
	on_page(r, err, reply);
	reflector_leave(r);
}

static void page_request(struct sw_reflector *r)
{
	struct sw_kube_req req = {.cls = SW_KUBE_LIST,
				  .method = "GET",
				  .timeout_ms = REFLECTOR_LIST_MS,
				  .max_reply = REFLECTOR_PAGE_MAX,
				  .raw = true};
	struct sw_buf path;
	char limit[16];
	struct sw_err e;

	reflector_query(r, &path);
	snprintf(limit, sizeof limit, "%u", r->page);
	sw_kube_query(&path, "limit", limit);
	if (r->cont)
		sw_kube_query(&path, "continue", r->cont);
	req.path = path.at;
	reflector_goto(r, REFLECTOR_LISTING);
	if (sw_buf_ok(&path))
		e = sw_kube_start(r->kube, &req, on_page_done, r, &r->call);
	else
		e = sw_err(SW_E_NET, "cluster %s: GET %s: the continue token or a selector is over 64 KiB", r->name,
			   r->cfg.path);
	sw_buf_fini(&path);
	if (sw_failed(e))
		list_failed(r, e);
}

void reflector_list(struct sw_reflector *r)
{
	r->mark++;
	r->is_listed = false;
	free(r->cont);
	r->cont = NULL;
	list_scan_fini(&r->scan);
	sw_buf_fini(&r->body);
	page_request(r);
}
