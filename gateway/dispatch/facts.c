/* SPDX-License-Identifier: Apache-2.0 */
/* facts.c - what a policy may want to know of a pool besides whether the job fits: hardware, money, nodes on their way
 */
#include "dispatch_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the same nodes cost, bought either way. The catalog knows list prices; the pool knows which it pays. */
static void both_prices(const struct sw_dispatch *d, struct sw_candidate *c, const struct sw_pool *p)
{
	const struct sw_machine *m =
		p->machine ? sw_catalog_machine(d->opt.catalog, c->provider, p->machine, c->region) : NULL;
	double nodes = p->price_hour > 0 ? c->price_hour / p->price_hour : NAN;
	int64_t oldest = sw_loop_wall(d->opt.loop) - d->opt.config->price_max_age_ms;
	*(p->spot ? &c->spot_hour : &c->on_demand_hour) = c->price_hour;
	if (!m || m->priced_at_ms < oldest || isnan(nodes))
		return;
	if (p->spot)
		c->on_demand_hour = m->price_hour * nodes;
	else
		c->spot_hour = m->spot_hour * nodes;
}

static void egress(const struct sw_dispatch *d, struct sw_candidate *c, const struct sw_demand *demand)
{
	struct sw_data_place data;
	struct sw_region from, to;
	if (!demand->data || !sw_data_parse(demand->data, &data) || !*data.region || !c->region || !*c->region)
		return;
	sw_catalog_region(d->opt.catalog, data.region, &from);
	sw_catalog_region(d->opt.catalog, c->region, &to);
	c->egress_cost = sw_catalog_egress(d->opt.catalog, &from, &to, data.bytes,
					   sw_loop_wall(d->opt.loop) - d->opt.config->price_max_age_ms);
	/* Free within a region whatever the amount; elsewhere it takes the amount to tell. */
	c->egress_known = isfinite(c->egress_cost) && (data.bytes > 0 || strcmp(from.name, to.name) == 0);
}

void option_facts(struct sw_dispatch *d, struct option *o, const struct sw_pool *p, const struct sw_demand *demand)
{
	struct sw_candidate *c = &o->c;
	c->gpu = *c->model ? sw_catalog_gpu(d->opt.catalog, c->model) : NULL;
	c->machine = p->machine;
	c->gpus_per_node = p->gpus;
	c->nodes = p->size;
	c->nodes_max = p->growable ? p->max : 0;
	both_prices(d, c, p);
	egress(d, c, demand);
	if (!p->growable)
		return;
	struct sw_burst_view look = sw_burst_look(d->burst, c->cluster, p->name, 0);
	c->in_flight = look.growing > 0 ? look.growing : 0;
	c->budget_known = isfinite(look.committed_hour);
	c->budget_left_hour = fmax(d->opt.config->max_price_hour - look.committed_hour, 0);
}
