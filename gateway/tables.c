/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.c - the catalog that decides here, and how the site's files of it are replaced while the gateway runs
 *
 * A change of one of the files of `catalog.files` (or SIGHUP) makes all tables be read again, by a thread of libuv's
 * pool. Good ones take the old ones' place between two decisions, inside the catalog that every room was lent; ones
 * with an error are refused with file:line, and the last good ones stay. Each state of the files is tried once, unless
 * SIGHUP asks again.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway_priv.h"
#include "spillway/text.h"

struct tables {
	struct sw_gateway *g;
	struct watch *watch;
	uv_work_t work;
	struct sw_catalog *fresh;
	struct sw_err verdict;
	bool busy, again, force, closing;
	char refused[512]; /* said last: not said again for the same files */
	struct sw_metric *m_info, *m_reloads;
};

static void refuse(struct tables *t, struct sw_err e, bool forced)
{
	if (!forced && strcmp(t->refused, e.text) == 0)
		return;
	sw_cut(t->refused, sizeof t->refused, e.text);
	sw_metric_add(t->m_reloads, 1, "refused");
	sw_log(ERROR, "gateway", "the new catalog is refused, the last good one stays", "hash=%s error=\"%s\"",
	       sw_catalog_hash(t->g->catalog), e.text);
	gateway_tell(t->g, true, "CatalogRefused", "The last good catalog (%s) stays: %s",
		     sw_catalog_hash(t->g->catalog), e.text);
}

static void take_over(struct tables *t)
{
	struct sw_gateway *g = t->g;
	char before[32];
	*t->refused = '\0';
	if (strcmp(sw_catalog_hash(g->catalog), sw_catalog_hash(t->fresh)) == 0)
		return;
	sw_cut(before, sizeof before, sw_catalog_hash(g->catalog));
	sw_metric_set(t->m_info, 0, before);
	sw_catalog_replace(g->catalog, t->fresh);
	t->fresh = NULL;
	sw_metric_set(t->m_info, 1, sw_catalog_hash(g->catalog));
	sw_metric_add(t->m_reloads, 1, "accepted");
	if (g->dispatch)
		sw_dispatch_catalog_changed(g->dispatch);
	if (g->nominate)
		sw_nominate_catalog_changed(g->nominate);
	sw_log(INFO, "gateway", "catalog reloaded", "hash=%s before=%s", sw_catalog_hash(g->catalog), before);
	gateway_tell(g, false, "CatalogReloaded", "Catalog %s decides now, before it %s", sw_catalog_hash(g->catalog),
		     before);
}

static void on_read(uv_work_t *w)
{
	struct tables *t = w->data;
	t->verdict = sw_catalog_load_site(t->g->config->catalog, &t->fresh);
}

static void on_read_done(uv_work_t *w, int status)
{
	struct tables *t = w->data;
	bool forced = t->force;
	t->busy = t->force = false;
	if (status && !t->fresh)
		t->again = true;
	else if (!t->closing && sw_failed(t->verdict))
		refuse(t, t->verdict, forced);
	else if (!t->closing)
		take_over(t);
	sw_catalog_free(t->fresh);
	t->fresh = NULL;
	if (t->again && !t->closing)
		gateway_watch_again(t->watch, false);
	t->again = false;
}

static void on_settled(void *owner)
{
	struct tables *t = owner;
	if (t->busy) {
		t->again = true;
		return;
	}
	t->work.data = t;
	t->busy = uv_queue_work(sw_loop_uv(t->g->loop), &t->work, on_read, on_read_done) == 0;
}

struct sw_err gateway_tables_open(struct sw_gateway *g)
{
	const struct sw_catalog_site *site = g->config->catalog;
	struct sw_err e = sw_catalog_load_site(site, &g->catalog);
	if (sw_failed(e))
		return e;
	struct tables *t = g->tables = sw_calloc(1, sizeof *t);
	t->g = g;
	t->m_info = sw_metric(g->metrics, SW_GAUGE, "spillway_catalog_info",
			      "1 for the version of the catalog that decides.", "hash");
	t->m_reloads = sw_metric(g->metrics, SW_COUNTER, "spillway_catalog_reloads_total",
				 "New versions of the catalog, by what became of them.", "result");
	sw_metric_set(t->m_info, 1, sw_catalog_hash(g->catalog));
	e = gateway_watch_new(g->loop, on_settled, t, &t->watch);
	for (size_t i = 0; !sw_failed(e) && site && i < site->n_files; i++)
		gateway_watch_file(t->watch, site->files[i]);
	return e;
}

void gateway_tables_reload(struct sw_gateway *g)
{
	g->tables->force = true;
	gateway_watch_again(g->tables->watch, true);
}

void gateway_tables_close(struct sw_gateway *g)
{
	struct tables *t = g->tables;
	if (t) {
		t->closing = true;
		gateway_watch_free(t->watch);
		while (t->busy) /* reading ends by itself: the files have a greatest size */
			uv_run(sw_loop_uv(g->loop), UV_RUN_ONCE);
		free(t);
		g->tables = NULL;
	}
	sw_catalog_free(g->catalog);
}
