/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mend.c - what would have to change for a job to start, in words
 *
 * One clause for each kind of obstacle, from the candidate where it is smallest; the clauses come in the order of
 * effort: what only takes waiting, what the job's user can change, what an operator can.
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "spillway/text.h"

enum { CLAUSES = 4, CLAUSE_MAX = 640 };

/* How far is it from starting there? Smaller is nearer. */
static double distance(const struct option *o, const struct sw_demand *demand)
{
	switch (o->obstacle) {
	case OB_BUSY:
		return (double)((*o->c.model ? demand->gpus : 0) - o->c.free);
	case OB_NODES:
		return o->c.expected_start_ms >= 0 ? (double)o->c.expected_start_ms : 1e15;
	case OB_STOCK:
		return (double)o->c.stockout_until_ms;
	default:
		return isnan(o->c.price_hour) ? 1e15 : o->c.price_hour;
	}
}

static const struct option *nearest(const struct options *o, enum obstacle ob, const struct sw_demand *demand)
{
	const struct option *best = NULL;
	for (size_t i = 0; i < o->n; i++)
		if (o->at[i].obstacle == ob && (!best || distance(&o->at[i], demand) < distance(best, demand)))
			best = &o->at[i];
	return best;
}

static void busy(const struct option *o, const struct sw_demand *demand, char *out)
{
	const struct sw_candidate *c = &o->c;
	long long more = (long long)((*c->model ? demand->gpus : 0) - c->free);
	if (more > 0)
		snprintf(out, CLAUSE_MAX, "%lld more %s on %s/%s (%lld of %lld free)", more, o->unit, c->cluster,
			 c->pool, (long long)c->free, (long long)c->total);
	else /* enough in all, but not where the pods would fit */
		snprintf(out, CLAUSE_MAX, "room for whole pods on %s/%s (%lld of %lld %s free, in pieces)", c->cluster,
			 c->pool, (long long)c->free, (long long)c->total, o->unit);
}

static void nodes(const struct option *o, const struct sw_demand *demand, char *out)
{
	const struct sw_candidate *c = &o->c;
	char age[32], when[48] = "";
	(void)demand;
	if (c->expected_start_ms > 0)
		snprintf(when, sizeof when, ", about %s", sw_age_text(c->expected_start_ms, age));
	snprintf(out, CLAUSE_MAX, "%d more node%s of %s/%s ($%.2f per hour%s)", c->nodes_needed,
		 c->nodes_needed == 1 ? "" : "s", c->cluster, c->pool, c->price_hour, when);
}

static void stock(const struct option *o, const struct sw_demand *demand, char *out)
{
	(void)demand;
	snprintf(out, CLAUSE_MAX, "nodes of %s/%s in stock (%s)", o->c.cluster, o->c.pool, o->why);
}

static void max_price(const struct option *o, const struct sw_demand *demand, char *out)
{
	(void)demand;
	/* rounded up: what is said must be enough */
	snprintf(out, CLAUSE_MAX, "raise " SW_ANN_MAX_PRICE " to %.2f (%s/%s costs $%.2f per hour)",
		 ceil(o->c.price_hour * 100 - 1e-6) / 100, o->c.cluster, o->c.pool, o->c.price_hour);
}

static void spot(const struct option *o, const struct sw_demand *demand, char *out)
{
	(void)demand;
	if (isnan(o->c.price_hour))
		snprintf(out, CLAUSE_MAX, "set " SW_ANN_SPOT " to allow (%s/%s)", o->c.cluster, o->c.pool);
	else
		snprintf(out, CLAUSE_MAX, "set " SW_ANN_SPOT " to allow (%s/%s costs $%.2f per hour)", o->c.cluster,
			 o->c.pool, o->c.price_hour);
}

static void firm(const struct option *o, const struct sw_demand *demand, char *out)
{
	(void)demand;
	snprintf(out, CLAUSE_MAX, "set " SW_ANN_SPOT " to allow, which does not insist on spot (%s/%s)", o->c.cluster,
		 o->c.pool);
}

static void operators(const struct option *o, const struct sw_demand *demand, char *out)
{
	(void)demand;
	snprintf(out, CLAUSE_MAX, "an operator's help with %s/%s: %s", o->c.cluster, o->c.pool, o->why);
}

/* No GPU that is there will do: which are there, or what they lack. */
static void other_gpus(const struct options *o, const struct sw_demand *demand, json_t *list)
{
	char text[CLAUSE_MAX] = "";
	for (size_t i = 0; i < o->n; i++) {
		const char *name = o->at[i].c.model;
		if (o->at[i].obstacle != OB_MODEL)
			continue;
		if (!demand->n_models)
			snprintf(text, sizeof text, "ask less of the GPU (%s/%s: %s)", o->at[i].c.cluster,
				 o->at[i].c.pool, o->at[i].why);
		else if (!*text)
			snprintf(text, sizeof text, "accept another GPU in " SW_ANN_GPU ": %s", name);
		else if (!strstr(text, name) && strlen(text) + strlen(name) + 3 < sizeof text)
			snprintf(text + strlen(text), sizeof text - strlen(text), ", %s", name);
	}
	if (*text)
		json_object_array_add(list, json_object_new_string(text));
}

json_t *options_mend(const struct options *o, const struct sw_demand *demand)
{
	static const struct {
		enum obstacle obstacle;
		void (*say)(const struct option *o, const struct sw_demand *demand, char *out);
	} rows[] = {
		{OB_BUSY, busy},           {OB_NODES, nodes},     {OB_STOCK, stock},
		{OB_MAX_PRICE, max_price}, {OB_SPOT, spot},       {OB_FIRM, firm},
		{OB_LIMIT, operators},     {OB_PRICE, operators}, {OB_CLUSTER, operators},
	};
	json_t *list = json_object_new_array();
	if (nearest(o, OB_NONE, demand))
		return list; /* it would start now */
	for (size_t i = 0; i < sizeof rows / sizeof *rows && sw_json_len(list) < CLAUSES; i++) {
		char text[CLAUSE_MAX];
		const struct option *best = nearest(o, rows[i].obstacle, demand);
		if (!best)
			continue;
		rows[i].say(best, demand, text);
		json_object_array_add(list, json_object_new_string(text));
	}
	if (!sw_json_len(list))
		other_gpus(o, demand, list);
	return list;
}
