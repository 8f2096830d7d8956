/* SPDX-License-Identifier: Apache-2.0 */
/* delete_collection.c - DELETE on a list: everything that matches, one delete each, one answer when all are durable */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

struct collection {
	struct request *q;
	struct sw_list *list;
	struct sw_delete_options opt;
	size_t waiting; /* deletes not yet durable */
	bool listed;
	json_t *no; /* the first refusal */
};

struct one {
	struct write w;
	struct collection *c;
	char *ns, *name;
};

static void collection_free(void *op)
{
	struct collection *c = op;
	sw_store_list_free(c->list);
	json_object_put(c->no);
	free(c);
}

static void collection_settle(struct collection *c)
{
	if (!c->listed || c->waiting)
		return;
	if (c->no) {
		reply_status(c->q, c->no);
		c->no = NULL;
		return;
	}
	reply_json(c->q, 200, sw_status_success(c->q->route.r, "", ""));
}

static void one_free(struct one *one)
{
	write_fini(&one->w);
	free(one->ns);
	free(one->name);
	free(one);
}

/* Somebody else deleted it meanwhile: that is what was wanted. */
static void one_note(struct collection *c, struct one *one)
{
	if (one->w.no && sw_status_code(one->w.no) != 404 && !c->no)
		c->no = json_object_get(one->w.no);
	one_free(one);
}

static void on_one(struct write *w)
{
	struct one *one = (struct one *)(void *)w;
	struct collection *c = one->c;
	c->waiting--;
	one_note(c, one);
	collection_settle(c);
}

static void one_delete(struct collection *c, const struct sw_list_item *it)
{
	struct one *one = sw_calloc(1, sizeof(*one));
	one->c = c;
	one->ns = sw_strdup(it->ns);
	one->name = sw_strdup(it->name);
	one->w = (struct write){.api = c->q->api,
				.r = c->q->route.r,
				.ns = one->ns,
				.name = one->name,
				.user = c->q->user->name,
				.manager = "",
				.finish = on_one};
	write_delete(&one->w, &c->opt);
	if (one->w.pending)
		c->waiting++;
	else
		one_note(c, one);
}

static void on_page(void *owner, struct sw_err e, const struct sw_page *page)
{
	struct collection *c = owner;
	if (sw_failed(e)) {
		if (!c->no)
			c->no = sw_status_of(e, c->q->route.r, NULL);
	} else {
		for (size_t i = 0; i < page->n; i++)
			one_delete(c, &page->items[i]);
	}
	c->listed = sw_failed(e) || page->last;
	if (c->listed)
		collection_settle(c);
	else
		sw_store_list_next(c->list);
}

static bool match_pick(void *filter, const char *bytes, size_t len, struct sw_buf *out)
{
	json_t *o = NULL;
	bool kept = !sw_failed(sw_json_parse(bytes, len, &o)) && selectors_match(filter, o);
	json_object_put(o);
	sw_buf_putc(out, '-'); /* only the key is needed */
	return kept;
}

static void match_release(void *filter)
{
	selectors_free(filter);
	free(filter);
}

void handle_delete_collection(struct request *q)
{
	struct collection *c = sw_calloc(1, sizeof(*c));
	struct selectors *sel = sw_calloc(1, sizeof(*sel));
	c->q = q;
	q->op = c;
	q->op_free = collection_free;
	json_t *no = delete_options_parse(q, &c->opt);
	if (!no)
		no = selectors_parse(q, sel);
	struct sw_list_cfg cfg = {.resource = sw_resource_storage(q->route.r)->id,
				  .ns = q->route.r->namespaced ? sel->ns : "",
				  .max_bytes = 16 << 10,
				  .pick = match_pick,
				  .filter = sel,
				  .release = match_release};
	struct sw_err e = no ? SW_OK : sw_store_list(q->api->store, &cfg, on_page, c, &c->list);
	if (sw_failed(e))
		no = sw_status_of(e, q->route.r, NULL);
	if (!no)
		return;
	match_release(sel);
	reply_status(q, no);
}
