/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static.c - a cluster that is there and stays as it is: owned machines behind a kubeconfig
 *
 * It lists no pools of its own: the cluster's nodes speak for themselves, and the gateway makes a pool for each GPU
 * model. What only a person can say is what an hour of them costs:
 *
 *   options:
 *     price_hour: 0            # every pool that is not named below; USD per node and hour
 *     prices: { v100: 1.10 }   # by pool: the GPU model in small letters, "cpu" for nodes without GPU
 *
 * Nothing said is unknown, not free.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/provider.h"
#include "spillway/text.h"

struct static_provider {
	struct sw_provider base;
	struct sw_loop *loop;
	struct sw_pool *pools;
	size_t n;               /* name and price only; names lent from cfg->options */
	struct sw_timer *timer; /* answers in a later turn */
	sw_provider_list_fn *done;
	void *owner;
};

static struct sw_err price_read(const struct sw_cluster_cfg *cfg, const char *path, json_t *value, double *out)
{
	bool number =
		value && (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double));
	*out = number ? json_object_get_double(value) : NAN;
	if (isfinite(*out) && *out >= 0)
		return SW_OK;
	return sw_err(SW_E_INVALID, "%s: options.%s: found %s, expected dollars per node and hour, 0 or more",
		      cfg->where ? cfg->where : "config", path, value ? json_object_to_json_string(value) : "null");
}

static struct sw_err price_add(struct static_provider *s, const struct sw_cluster_cfg *cfg, const char *name,
			       json_t *value)
{
	double price;
	char path[128];

	snprintf(path, sizeof path, strcmp(name, "*") == 0 ? "price_hour" : "prices.%.80s", name);
	struct sw_err e = price_read(cfg, path, value, &price);
	if (!sw_failed(e))
		s->pools[s->n++] = (struct sw_pool){.name = name,
						    .model = "",
						    .machine = "",
						    .region = "",
						    .zone = "",
						    .quota_left = 0,
						    .price_hour = price};
	return e;
}

static struct sw_err options_read(struct static_provider *s, const struct sw_cluster_cfg *cfg)
{
	static const char *const known[] = {"price_hour", "prices"};
	json_t *prices = NULL;

	if (!cfg->options)
		return SW_OK;
	json_object_object_foreach(cfg->options, key, value)
	{
		if (strcmp(key, known[0]) == 0) {
			struct sw_err e = price_add(s, cfg, "*", value);
			if (sw_failed(e))
				return e;
		} else if (strcmp(key, known[1]) == 0 && json_object_is_type(value, json_type_object)) {
			prices = value;
		} else {
			const char *near = sw_nearest(key, known, 2);
			return sw_err(
				SW_E_INVALID,
				"%s: found options.%s, expected price_hour (a number) or prices (pool: number)%s%s%s",
				cfg->where ? cfg->where : "config", key, near ? "; did you mean " : "",
				near ? near : "", near ? "?" : "");
		}
	}
	if (!prices)
		return SW_OK;
	json_object_object_foreach(prices, pool, price)
	{
		struct sw_err e = price_add(s, cfg, pool, price);
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

static void on_answer(void *owner)
{
	struct static_provider *s = owner;
	sw_provider_list_fn *done = s->done;
	struct sw_provider_state state = {.pools = s->pools, .n_pools = s->n};

	for (size_t i = 0; i < s->n; i++)
		s->pools[i].priced_at_ms = sw_loop_wall(s->loop); /* a person's word holds until it is changed */
	s->done = NULL;
	if (done)
		done(s->owner, SW_OK, &state);
}

static void static_close(struct sw_provider *p)
{
	struct static_provider *s = (struct static_provider *)p;
	sw_timer_free(s->timer);
	free(s->pools);
	free(s);
}

static struct sw_err static_open(const struct sw_provider_env *env, const struct sw_cluster_cfg *cfg,
				 struct sw_provider **out)
{
	struct static_provider *s = sw_calloc(1, sizeof *s);
	json_t *prices = cfg->options ? sw_json_key(cfg->options, "prices") : NULL;
	size_t n =
		prices && json_object_is_type(prices, json_type_object) ? (size_t)json_object_object_length(prices) : 0;

	*out = NULL;
	s->loop = env->loop;
	s->base.ops = &sw_provider_static;
	s->pools = sw_calloc(n + 2, sizeof *s->pools);
	struct sw_err e = options_read(s, cfg);
	if (!sw_failed(e))
		e = sw_timer_new(env->loop, on_answer, s, &s->timer);
	if (sw_failed(e))
		static_close(&s->base);
	else
		*out = &s->base;
	return e;
}

static struct sw_err static_list(struct sw_provider *p, sw_provider_list_fn *done, void *owner)
{
	struct static_provider *s = (struct static_provider *)p;
	if (s->done)
		return sw_err(SW_E_BUSY, "a list is under way");
	s->done = done;
	s->owner = owner;
	sw_timer_in(s->timer, 0);
	return SW_OK;
}

const struct sw_provider_ops sw_provider_static = {
	.name = "static", .open = static_open, .close = static_close, .list = static_list};
