/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.c - the functions of a policy besides place(): what may wait, what is bought, what is given back
 */
#include <string.h>

#include "spillway/policy.h"

struct sw_err sw_policy_admit(struct sw_policy *p, const struct sw_policy_input *in, struct sw_policy_admission *out)
{
	(void)p, (void)in;
	*out = (struct sw_policy_admission){.admit = true};
	return SW_OK;
}

struct sw_err sw_policy_grow(struct sw_policy *p, const struct sw_policy_pool *pool, const struct sw_policy_need *need,
			     struct sw_policy_grow *out)
{
	(void)p, (void)pool;
	*out = (struct sw_policy_grow){.nodes = need->nodes};
	return SW_OK;
}

struct sw_err sw_policy_release(struct sw_policy *p, const struct sw_policy_pool *pool,
				const struct sw_policy_node *node, struct sw_policy_release *out)
{
	(void)p, (void)pool;
	*out = (struct sw_policy_release){.after_ms = node->after_ms};
	return SW_OK;
}

struct sw_err sw_policy_evicted(struct sw_policy *p, const struct sw_policy_input *in,
				const struct sw_policy_attempt *attempt, struct sw_policy_after *out)
{
	(void)p, (void)in, (void)attempt;
	memset(out, 0, sizeof *out);
	return SW_OK;
}
