/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.c - may n more nodes be bought?
 *
 * The order is that of what a person would fix first. Unknown and stale prices refuse: nobody may spend money that
 * nobody can count.
 */
#include <math.h>
#include <stdio.h>

#include "burst_priv.h"
#include "spillway/text.h"

static bool price_refuses(const struct limit *l, int n, char *why, size_t size)
{
	char age[32];

	if (isnan(l->price_hour))
		snprintf(why, size, "pool %s of %s has no known price, so it is not bought", l->pool, l->cluster);
	else if (l->price_age_ms > l->price_max_age_ms)
		snprintf(why, size, "the price of pool %s of %s is %s old, which is too old to buy by", l->pool,
			 l->cluster, sw_age_text(l->price_age_ms, age));
	else if (isnan(l->committed))
		snprintf(why, size, "the limit of %.2f USD/h cannot be kept: %s", l->max_hour,
			 l->unknown ? l->unknown : "what is bought is not known");
	else if (l->committed + l->price_hour * n > l->max_hour + 1e-9)
		snprintf(why, size,
			 "%d node%s at %.2f USD/h on top of %.2f would pass the limit of %.2f USD/h (max_price_hour)",
			 n, n == 1 ? "" : "s", l->price_hour, l->committed, l->max_hour);
	else
		return false;
	return true;
}

bool limit_refuses(const struct limit *l, int n, char *why, size_t size)
{
	char age[32];

	why[0] = '\0';
	if (n <= 0)
		return false;
	if (!l->burst)
		snprintf(why, size, "cluster %s may not grow (burst: false)", l->cluster);
	else if (!l->growable)
		snprintf(why, size, "pool %s of %s cannot grow", l->pool, l->cluster);
	else if (l->stockout_left_ms > 0)
		snprintf(why, size, "pool %s of %s was out of stock and is left alone for %s more", l->pool, l->cluster,
			 sw_age_text(l->stockout_left_ms, age));
	else if (l->asked + n > l->max)
		snprintf(why, size, "%d more node%s would pass the maximum of %d of pool %s of %s (it has %d)", n,
			 n == 1 ? "" : "s", l->max, l->pool, l->cluster, l->asked);
	else if (l->quota_left >= 0 && n > l->quota_left)
		snprintf(why, size, "the cloud's quota leaves %d node%s for pool %s of %s, not %d", l->quota_left,
			 l->quota_left == 1 ? "" : "s", l->pool, l->cluster, n);
	else
		return price_refuses(l, n, why, size);
	return true;
}
