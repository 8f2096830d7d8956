/* SPDX-License-Identifier: Apache-2.0 */
/* facts.c - what a policy may want to know of a pool besides whether the job fits: hardware, money, nodes on their way
 */
#include "dispatch_priv.h"

#include <math.h>

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

void option_facts(struct sw_dispatch *d, struct option *o, const struct sw_pool *p)
{
	struct sw_candidate *c = &o->c;
	c->gpu = *c->model ? sw_catalog_gpu(d->opt.catalog, c->model) : NULL;
	c->machine = p->machine;
	c->gpus_per_node = p->gpus;
	c->nodes = p->size;
	c->nodes_max = p->growable ? p->max : 0;
	both_prices(d, c, p);
	if (!p->growable)
		return;
	struct sw_burst_view look = sw_burst_look(d->burst, c->cluster, p->name, 0);
	c->in_flight = look.growing > 0 ? look.growing : 0;
	c->budget_known = isfinite(look.committed_hour);
	c->budget_left_hour = fmax(d->opt.config->max_price_hour - look.committed_hour, 0);
}
