/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - the file that describes simulated clusters */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/sim.h"

static const struct sw_catalog *catalog(void)
{
	static struct sw_catalog *c; /* loaded once: every run only reads it */

	if (!c)
		FUZZ_CHECK(!sw_failed(sw_catalog_load(&c)));
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct sw_sim_specs *specs;
	struct sw_err e = sw_sim_specs_parse("c.yaml", p.at[0], p.len[0], catalog(), &specs);

	if (sw_failed(e)) {
		FUZZ_REFUSED(e, specs);
		FUZZ_CHECK(!strncmp(e.text, "c.yaml", 6));
	}
	for (size_t i = 0; specs && i < specs->n; i++) {
		const struct sw_sim_spec *s = &specs->at[i];

		FUZZ_CHECK(*s->name && isfinite(s->scale) && s->scale > 0);
		for (size_t k = 0; k < s->n_groups; k++)
			FUZZ_CHECK(s->groups[k].cpu_milli > 0 && s->groups[k].min >= 0 &&
				   s->groups[k].min <= s->groups[k].max && !(s->groups[k].price_hour < 0));
	}
	sw_sim_specs_free(specs);
	fuzz_parts_free(&p);
	return 0;
}
