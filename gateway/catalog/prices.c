/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prices.c - what a site's own machines cost, whose a region is, and what it costs to take data out of it
 *
 * Clouds charge for data that leaves a region, by where it goes, and nothing within a region (cloud.google.com/storage/
 * pricing, "Network"; azure.microsoft.com/pricing/details/bandwidth; aws.amazon.com/s3/pricing, "Data transfer"). List
 * prices fall with the volume of a month, which nobody here knows: the first tier is used, so that the cost is never
 * understated.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "catalog_priv.h"

const struct sw_site_price *sw_catalog_site_price(const struct sw_catalog *c, const char *cluster, const char *pool)
{
	const struct sw_site_price *best = NULL;
	int most = -1;

	for (size_t i = 0; i < c->n_prices; i++) {
		const struct sw_site_price *p = &c->prices[i].price;
		bool any_cluster = strcmp(p->cluster, "*") == 0, any_pool = strcmp(p->pool, "*") == 0;
		int exact = !any_cluster * 2 + !any_pool;

		if ((any_cluster || strcmp(p->cluster, cluster) == 0) && (any_pool || strcmp(p->pool, pool) == 0) &&
		    exact > most) {
			best = p;
			most = exact;
		}
	}
	return best;
}

/* ---- regions --------------------------------------------------------------------- */

enum { SCORE_ANY = 1, SCORE_PREFIX = 10, SCORE_EXACT = 1000 };

/* One word of a pattern list: "europe-west4", "europe-*", "*". 0: no. */
static int word_score(const char *word, size_t n, const char *name)
{
	if (n == 1 && *word == '*')
		return SCORE_ANY;
	if (n && word[n - 1] == '*')
		return strncmp(word, name, n - 1) == 0 ? SCORE_PREFIX + (int)n : 0;
	return strlen(name) == n && memcmp(word, name, n) == 0 ? SCORE_EXACT : 0;
}

static int list_score(const char *list, const char *name)
{
	int best = 0;

	for (const char *at = list; *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		int score = word_score(at, strcspn(at, " "), name);

		best = score > best ? score : best;
	}
	return best;
}

static const char *provider_listed(const struct sw_catalog *c, const char *region)
{
	for (size_t i = 0; i < c->n_machine_rows; i++)
		if (strcmp(c->machines[i].machine.region, region) == 0)
			return c->machines[i].machine.provider;
	for (size_t i = 0; i < c->n_egress; i++)
		if (list_score(c->egress[i].egress.region, region) == SCORE_EXACT &&
		    strcmp(c->egress[i].egress.provider, "*") != 0)
			return c->egress[i].egress.provider;
	return NULL;
}

/* Clouds name their regions alike: AWS "us-east-1", GCP "us-east1". */
static const char *provider_by_shape(const char *region)
{
	size_t n = strlen(region);
	const char *dash = strrchr(region, '-');

	if (n < 6 || !dash || !isdigit((unsigned char)region[n - 1]))
		return NULL;
	for (const char *at = region; *at; at++)
		if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '-')
			return NULL;
	if (dash == region + n - 2 && memchr(region, '-', (size_t)(dash - region)))
		return "aws";
	return islower((unsigned char)dash[1]) ? "gcp" : NULL;
}

/* Without a zone: GCP "-b", AWS "1a", Azure "-1". */
static bool zone_cut(char *name)
{
	size_t n = strlen(name);

	if (n > 3 && name[n - 2] == '-' && isalnum((unsigned char)name[n - 1]))
		name[n - 2] = '\0';
	else if (n > 3 && isdigit((unsigned char)name[n - 2]) && islower((unsigned char)name[n - 1]))
		name[n - 1] = '\0';
	else
		return false;
	return true;
}

static const char *provider_of(const struct sw_catalog *c, const char *region)
{
	const char *listed = *region ? provider_listed(c, region) : NULL;

	return listed ? listed : provider_by_shape(region);
}

void sw_catalog_region(const struct sw_catalog *c, const char *word, struct sw_region *out)
{
	char cut[sizeof out->name];

	snprintf(out->name, sizeof out->name, "%s", word);
	out->provider = provider_of(c, out->name);
	snprintf(cut, sizeof cut, "%s", out->name);
	if (!out->provider && zone_cut(cut)) {
		out->provider = provider_of(c, cut);
		if (out->provider)
			memcpy(out->name, cut, sizeof cut);
	}
	out->provider = out->provider ? out->provider : "";
}

/* ---- egress ------------------------------------------------------------------------- */

static int place_score(const char *provider, const char *regions, const struct sw_region *at)
{
	int who = word_score(provider, strlen(provider), at->provider), where = list_score(regions, at->name);

	return who && where ? who + where : 0;
}

double sw_catalog_egress(const struct sw_catalog *c, const struct sw_region *from, const struct sw_region *to,
			 int64_t bytes, int64_t not_before_ms)
{
	const struct sw_egress *best = NULL;
	int most = 0;

	if (*from->name && strcmp(from->name, to->name) == 0 && strcmp(from->provider, to->provider) == 0)
		return 0;
	for (size_t i = 0; i < c->n_egress; i++) {
		const struct sw_egress *e = &c->egress[i].egress;
		int a = place_score(e->provider, e->region, from), b = place_score(e->to_provider, e->to_region, to);

		if (a && b && a + b >= most) { /* a site's rows come last, and win */
			best = e;
			most = a + b;
		}
	}
	if (!best || best->priced_at_ms < not_before_ms)
		return NAN;
	return best->usd_gib * (double)bytes / (double)(1 << 30);
}
