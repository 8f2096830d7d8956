/* SPDX-License-Identifier: Apache-2.0 */
/* candidate.c - a candidate as explain and plan show it */
#include <math.h>

#include "spillway/json.h"
#include "spillway/policy.h"

json_t *sw_candidate_json(const struct sw_candidate *c, const char *verdict, const char *reason, int step)
{
	json_t *o = json_object_new_object();
	double price = c->price_hour;

	sw_json_set_str(o, "cluster", c->cluster);
	sw_json_set_str(o, "pool", c->pool);
	sw_json_set_str(o, "region", c->region);
	sw_json_set_str(o, "model", c->model);
	sw_json_set_str(o, "verdict", verdict);
	sw_json_set_str(o, "reason", reason);
	if (step)
		sw_json_set_int(o, "step", step);
	json_object_object_add(o, "priceHour", isfinite(price) ? json_object_new_double(price) : NULL);
	sw_json_set_int(o, "free", c->free);
	sw_json_set_int(o, "total", c->total);
	sw_json_set_int(o, "nodesNeeded", c->nodes_needed);
	sw_json_set_bool(o, "spot", c->spot);
	sw_json_set_bool(o, "growable", c->growable);
	if (c->expected_start_ms >= 0)
		sw_json_set_int(o, "expectedStartSeconds", c->expected_start_ms / 1000);
	return o;
}
