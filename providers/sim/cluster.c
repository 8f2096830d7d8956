/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster.c - one simulated cluster: an API server on a store of its own, and its controllers on the same loop
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim_priv.h"
#include "spillway/buf.h"
#include "spillway/log.h"
#include "spillway/text.h"

static void on_event(void *owner, const struct sw_event *ev)
{
	struct sw_sim *s = owner;

	if (!s->closing)
		sim_cache_put(s, ev);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path); /* what stays, stays: it is under the temporary directory */
	return 0;
}

static struct sw_err make_dir(struct sw_sim *s, const char *parent)
{
	s->dir = sw_asprintf("%s/spillway-sim-%s-XXXXXX", parent ? parent : "/tmp", s->name);
	if (mkdtemp(s->dir))
		return SW_OK;
	free(s->dir);
	s->dir = NULL;
	return sw_err(SW_E_IO, "cluster %s: no data directory under %s: %m", s->name, parent ? parent : "/tmp");
}

static struct sw_err serve(struct sw_sim *s, const struct sw_sim_options *opt)
{
	struct sw_api_options api = {.serve = SW_SERVE_WORKER,
				     .name = s->name,
				     .dir = s->dir,
				     .listen = "127.0.0.1:0",
				     .ephemeral = true,
				     .logs = &sim_log_source,
				     .owner = s,
				     .metrics = opt->metrics};
	struct sw_err e = sw_api_new(s->loop, &api, &s->api);

	if (!sw_failed(e))
		e = sw_api_user_add(s->api, "admin", SW_ROLE_ADMIN, "*", s->token);
	if (!sw_failed(e) && opt->relay)
		e = sim_relay_new(s->loop, sw_api_port(s->api), &s->relay);
	if (!sw_failed(e))
		s->url = s->relay ? sw_asprintf("https://127.0.0.1:%d", sim_relay_port(s->relay))
				  : sw_strdup(sw_api_url(s->api));
	return e;
}

static struct sw_err make_pools(struct sw_sim *s, const struct sw_sim_spec *spec)
{
	struct sw_err e = SW_OK;

	for (size_t i = 0; i < spec->n_groups && !sw_failed(e); i++) {
		json_t *pool = sim_pool_object(spec, &spec->groups[i]);

		e = sw_api_object_create(s->api, SIM_POOLS, pool, NULL, NULL);
		json_object_put(pool);
		if (sw_failed(e))
			e = sw_err_wrap(e, "cluster %s: pool %s", s->name, spec->groups[i].name);
	}
	return e;
}

struct sw_err sw_sim_new(struct sw_loop *loop, const struct sw_sim_spec *spec, const struct sw_sim_options *opt,
			 struct sw_sim **out)
{
	struct sw_sim *s = sw_calloc(1, sizeof(*s));
	struct sw_err e;

	*out = NULL;
	s->loop = loop;
	s->name = sw_strdup(spec->name);
	s->cloud = sim_cloud_find(spec->cloud);
	s->scale = spec->scale > 0 ? spec->scale : 1;
	e = make_dir(s, opt->dir);
	if (!sw_failed(e))
		e = serve(s, opt);
	if (!sw_failed(e))
		e = sim_control_start(s);
	if (!sw_failed(e))
		e = sw_store_watch(sw_api_store(s->api), NULL, sw_store_rv(sw_api_store(s->api)), on_event, s, &s->sub);
	if (!sw_failed(e))
		e = make_pools(s, spec);
	if (sw_failed(e)) {
		sw_sim_free(s);
		return e;
	}
	sw_log(INFO, "sim", "cluster is up", "cluster=%s cloud=%s url=%s scale=%g", s->name, s->cloud->name, s->url,
	       s->scale);
	*out = s;
	return SW_OK;
}

/* Writes in flight end while the server stops; from here on they wake nobody. */
void sw_sim_free(struct sw_sim *s)
{
	if (!s)
		return;
	s->closing = true;
	sim_relay_free(s->relay);
	sim_logs_stop(s);
	sw_store_unwatch(s->sub);
	sw_api_free(s->api);
	sim_control_stop(s);
	sim_cache_drop(s);
	if (s->dir)
		nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(s->dir);
	free(s->name);
	free(s->url);
	free(s);
}

const char *sw_sim_name(const struct sw_sim *s)
{
	return s->name;
}

const char *sw_sim_url(const struct sw_sim *s)
{
	return s->url;
}

struct sw_api *sw_sim_api(struct sw_sim *s)
{
	return s->api;
}

/* The same file with the relay's address in place of the server's. */
static struct sw_err point_to_relay(struct sw_sim *s, const char *path)
{
	const char *from = sw_api_url(s->api), *found;
	char *text = NULL;
	struct sw_buf b;
	size_t len;
	struct sw_err e = sw_file_read(path, 1 << 20, &text, &len);

	if (sw_failed(e))
		return e;
	sw_buf_init(&b, 1 << 20);
	for (const char *p = text; p; p = found ? found + strlen(from) : NULL) {
		found = strstr(p, from);
		sw_buf_put(&b, p, found ? (size_t)(found - p) : strlen(p));
		if (found)
			sw_buf_puts(&b, s->url);
	}
	e = sw_buf_ok(&b) ? sw_file_write(path, b.at, b.len, 0600) : sw_err(SW_E_NOMEM, "%s: out of memory", path);
	sw_buf_fini(&b);
	free(text);
	return e;
}

struct sw_err sw_sim_kubeconfig_write(struct sw_sim *s, const char *path)
{
	struct sw_err e = sw_api_kubeconfig_write(s->api, path, "admin", s->token);

	return sw_failed(e) || !s->relay ? e : point_to_relay(s, path);
}

void sw_sim_fault(struct sw_sim *s, enum sw_sim_fault f)
{
	SW_REQUIRE(s->relay);
	sim_relay_fault(s->relay, f);
}

void sw_sim_stockout(struct sw_sim *s, const char *pool, bool on)
{
	struct sim_object *x = sim_find(s, SIM_POOLS, "", pool);
	struct sw_err e;
	json_t *copy;

	if (!x) {
		sw_log(WARN, "sim", "no such pool to run out of stock", "cluster=%s pool=%s", s->name, pool);
		return;
	}
	copy = sw_json_copy(x->o);
	sw_json_del(copy, "metadata.resourceVersion");
	sw_json_set_bool(copy, "spec.stockout", on);
	e = sw_api_object_update(s->api, SIM_POOLS, copy, NULL, NULL, NULL);
	if (sw_failed(e))
		sw_log(WARN, "sim", "the stockout could not be written", "cluster=%s pool=%s error=\"%s\"", s->name,
		       pool, e.text);
	json_object_put(copy);
}

void sw_sim_node_lose(struct sw_sim *s, const char *node)
{
	sim_instance_lost(s, node);
}
