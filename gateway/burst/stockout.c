/* SPDX-License-Identifier: Apache-2.0 */
/* stockout.c - how long a pool that had nothing to give is left alone: base, twice, four times, at most eight times
 * base */
#include "burst_priv.h"

bool stockout_note(struct stockout *s, int64_t at_ms, int64_t base_ms)
{
	if (at_ms <= s->last_at_ms)
		return false;
	s->last_at_ms = at_ms;
	s->until_ms = at_ms + (base_ms << (s->times < 3 ? s->times : 3));
	s->times++;
	return true;
}

void stockout_clear(struct stockout *s)
{
	s->times = 0;
	s->until_ms = 0;
}

int64_t stockout_left(const struct stockout *s, int64_t wall_ms)
{
	return s->until_ms > wall_ms ? s->until_ms - wall_ms : 0;
}
