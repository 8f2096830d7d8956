/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - what is wrong with tables that were read without an error
 *
 * A site is told of each row of its own; carried rows that age are told together, by provider and day.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "catalog_priv.h"
#include "spillway/text.h"

#define DAY_MS ((int64_t)86400000)

enum { SOON_DAYS = 30 };

struct check {
	const struct sw_catalog *c;
	int64_t now_ms, max_age_ms;
	sw_finding_fn *found;
	void *owner;
};

__attribute__((format(printf, 4, 5))) static void tell(const struct check *k, bool problem, const char *where,
						       const char *fmt, ...)
{
	char text[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	k->found(k->owner, &(struct sw_finding){problem, where, text});
}

/* ---- GPUs ----------------------------------------------------------------------- */

static void check_names(const struct check *k, const struct gpu_entry *g)
{
	char word[96];

	for (const char *at = g->aliases; *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		size_t n = strcspn(at, " ");

		if (n == 0 || n >= sizeof word)
			continue;
		snprintf(word, sizeof word, "%.*s", (int)n, at);
		const struct sw_gpu *means = sw_catalog_gpu(k->c, word);

		if (!means)
			tell(k, true, g->where,
			     "the alias \"%s\" of %s is never found: aliases are in lower case, with '-' for "
			     "blanks and without nvidia- or tesla- in front",
			     word, g->gpu.model);
		else if (means != &g->gpu)
			tell(k, true, g->where, "the alias \"%s\" of %s is also a name of %s", word, g->gpu.model,
			     means->model);
	}
}

static void check_gpu(const struct check *k, const struct gpu_entry *g)
{
	bool any = false;

	check_names(k, g);
	for (size_t i = 0; i < SW_PRECISION__COUNT; i++)
		any |= g->gpu.tflops[i] > 0;
	if (!any)
		tell(k, g->layer == LAYER_SITE, g->where,
		     "%s has no throughput in any precision: jobs that ask for one never "
		     "get it",
		     g->gpu.model);
}

/* ---- prices that age ---------------------------------------------------------------- */

static void check_age(const struct check *k, const char *where, int64_t priced_at_ms, const char *what)
{
	int64_t age = k->now_ms - priced_at_ms, left = k->max_age_ms - age;
	char day[32];

	if (age < -DAY_MS)
		tell(k, true, where, "%s: its date %.10s is in the future", what, sw_time_text(priced_at_ms, day));
	else if (left < 0)
		tell(k, true, where,
		     "%s: the price is %lld days old and counts as unknown (burst.price_max_age is %lld days)", what,
		     (long long)(age / DAY_MS), (long long)(k->max_age_ms / DAY_MS));
	else if (left < SOON_DAYS * DAY_MS)
		tell(k, false, where, "%s: the price counts as unknown in %lld days", what, (long long)(left / DAY_MS));
}

static bool has_price(const struct sw_machine *m)
{
	return !isnan(m->price_hour) || !isnan(m->spot_hour);
}

static bool same_batch(const struct machine_entry *a, const struct machine_entry *b)
{
	return a->layer == LAYER_CARRIED && b->layer == LAYER_CARRIED && has_price(&a->machine) &&
	       has_price(&b->machine) && a->machine.priced_at_ms == b->machine.priced_at_ms &&
	       strcmp(a->machine.provider, b->machine.provider) == 0;
}

/* Carried prices of one provider and day, told once, at the first of them. */
static void check_batch(const struct check *k, size_t first)
{
	const struct machine_entry *m = &k->c->machines[first];
	int64_t age = k->now_ms - m->machine.priced_at_ms, left = k->max_age_ms - age;
	size_t n = 0;
	char day[32];

	for (size_t i = 0; i < k->c->n_machine_rows; i++) {
		if (!same_batch(m, &k->c->machines[i]))
			continue;
		if (i < first)
			return;
		n++;
	}
	sw_time_text(m->machine.priced_at_ms, day);
	if (n && left < 0)
		tell(k, false, "carried", "%zu prices of %s from %.10s are %lld days old and count as unknown", n,
		     m->machine.provider, day, (long long)(age / DAY_MS));
	else if (n && left < SOON_DAYS * DAY_MS)
		tell(k, false, "carried", "%zu prices of %s from %.10s count as unknown in %lld days", n,
		     m->machine.provider, day, (long long)(left / DAY_MS));
}

/* ---- machines ------------------------------------------------------------------------- */

static void check_agreement(const struct check *k, size_t at)
{
	const struct sw_machine *m = &k->c->machines[at].machine;

	for (size_t i = 0; i < at; i++) {
		const struct sw_machine *o = &k->c->machines[i].machine;

		if (strcmp(m->provider, o->provider) != 0 || strcasecmp(m->type, o->type) != 0)
			continue;
		if (strcmp(m->model, o->model) != 0 || m->gpus != o->gpus || m->cpu_milli != o->cpu_milli ||
		    m->memory_bytes != o->memory_bytes)
			tell(k, true, k->c->machines[at].where, "%s %s holds something else than %s says", m->provider,
			     m->type, k->c->machines[i].where);
		return; /* with the first row of its type, once */
	}
}

static void check_machine(const struct check *k, size_t at)
{
	const struct machine_entry *m = &k->c->machines[at];
	char what[160];

	check_agreement(k, at);
	if (m->machine.spot_hour > m->machine.price_hour)
		tell(k, true, m->where, "%s in %s: spot is dearer than on demand", m->machine.type, m->machine.region);
	if (m->layer == LAYER_CARRIED) {
		check_batch(k, at);
		return;
	}
	snprintf(what, sizeof what, "%.70s in %.60s", m->machine.type, m->machine.region);
	if (has_price(&m->machine))
		check_age(k, m->where, m->machine.priced_at_ms, what);
}

void sw_catalog_check(const struct sw_catalog *c, int64_t now_ms, int64_t max_age_ms, sw_finding_fn *found, void *owner)
{
	const struct check k = {c, now_ms, max_age_ms, found, owner};
	char what[200];

	for (size_t i = 0; i < c->n_gpus; i++)
		check_gpu(&k, &c->gpus[i]);
	for (size_t i = 0; i < c->n_machine_rows; i++)
		check_machine(&k, i);
	for (size_t i = 0; i < c->n_prices; i++) {
		snprintf(what, sizeof what, "pool %.60s of cluster %.60s", c->prices[i].price.pool,
			 c->prices[i].price.cluster);
		check_age(&k, c->prices[i].where, c->prices[i].price.priced_at_ms, what);
	}
	for (size_t i = 0; i < c->n_egress; i++) {
		snprintf(what, sizeof what, "egress from %.30s %.60s", c->egress[i].egress.provider,
			 c->egress[i].egress.region);
		if (c->egress[i].layer == LAYER_SITE || now_ms - c->egress[i].egress.priced_at_ms > max_age_ms)
			check_age(&k, c->egress[i].where, c->egress[i].egress.priced_at_ms, what);
	}
}
