/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_replay.c - `spillway policy replay`: what another policy, or other prices, would have decided
 *
 * Each recorded decision is asked again with everything that was known then. A decision has changed if its job would
 * have gone elsewhere at first; money and wait are those of that place, per hour and until the start, as they were seen
 * then.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "spillway/catalog.h"
#include "spillway/decision.h"
#include "spillway/text.h"

enum { LINE_MAX_BYTES = 16 << 20 };

struct sum {
	double price; /* per hour, of those whose price is known */
	double wait;  /* seconds, of those whose start is expected */
	int n_price, n_wait, placed, failed;
};

struct replay {
	const struct policy_args *args;
	struct sw_policy *with; /* NULL: the policy that decided is not at hand, only prices change */
	struct sw_catalog *catalog, *prices;
	json_t *rows;
	struct sum before, after;
	int decisions, unreadable, moved, plans, repriced;
	struct sw_err first_wrong;
};

/* ---- one decision ------------------------------------------------------------------------- */

static const struct sw_candidate *place_of(const struct sw_policy_plan *plan, const struct sw_policy_input *in)
{
	int at = plan ? sw_plan_choice(plan, in) : -1;
	return at < 0 ? NULL : &in->candidates[at];
}

static bool same_place(const struct sw_candidate *a, const struct sw_candidate *b)
{
	return a == b || (a && b && strcmp(a->cluster, b->cluster) == 0 && strcmp(a->pool, b->pool) == 0);
}

static void set_place(json_t *row, const char *key, const struct sw_candidate *c, double price, const char *error)
{
	json_t *o = json_object_new_object();
	if (error)
		sw_json_set_str(o, "error", error);
	if (c) {
		char name[520];
		snprintf(name, sizeof name, "%.255s/%.255s", c->cluster, c->pool);
		sw_json_set_str(o, "place", name);
		if (isfinite(price))
			json_object_object_add(o, "priceHour", json_object_new_double(price));
		if (c->expected_start_ms >= 0)
			json_object_object_add(o, "waitSeconds",
					       json_object_new_double((double)c->expected_start_ms / 1000));
	}
	json_object_object_add(row, key, o);
}

static void add(struct sum *s, const struct sw_candidate *c, double price)
{
	s->placed += c != NULL;
	if (c && isfinite(price)) {
		s->price += price;
		s->n_price++;
	}
	if (c && c->expected_start_ms >= 0) {
		s->wait += (double)c->expected_start_ms / 1000;
		s->n_wait++;
	}
}

struct outcome {
	const struct sw_candidate *was, *now;
	double was_price, now_price;
	const char *was_error, *now_error;
	bool moved, plan_differs;
};

static void note_row(struct replay *r, const struct sw_decision_read *d, const struct outcome *o, bool price)
{
	bool wait = o->was && o->now && o->was->expected_start_ms >= 0 && o->now->expected_start_ms >= 0;
	json_t *row = json_object_new_object();
	sw_json_set_str(row, "time", d->time);
	sw_json_set_str(row, "workload", sw_policy_question_input(d->question)->key);
	sw_json_set_str(row, "change", o->moved ? "place" : o->plan_differs ? "plan" : "price");
	set_place(row, "before", o->was, o->was_price, o->was_error);
	set_place(row, "after", o->now, o->now_price, o->now_error);
	if (price)
		json_object_object_add(row, "priceHour", json_object_new_double(o->now_price - o->was_price));
	if (wait)
		json_object_object_add(
			row, "waitSeconds",
			json_object_new_double((double)(o->now->expected_start_ms - o->was->expected_start_ms) / 1000));
	json_object_array_add(r->rows, row);
}

static void note(struct replay *r, const struct sw_decision_read *d, const struct outcome *o)
{
	bool price = o->was && o->now && isfinite(o->was_price) && isfinite(o->now_price);
	add(&r->before, o->was, o->was_price);
	add(&r->after, o->now, o->now_price);
	r->before.failed += o->was_error != NULL;
	r->after.failed += o->now_error != NULL;
	r->moved += o->moved;
	r->plans += o->plan_differs;
	r->repriced += !o->moved && price && o->was_price != o->now_price;
	if (o->moved || (r->args->verbose && (o->plan_differs || o->was_price != o->now_price)))
		note_row(r, d, o, price);
}

/* By type and region; a simulated cluster's machines are those of a cloud, under the same names. */
static double machine_price(const struct sw_catalog *cat, const struct sw_candidate *c)
{
	const char *const providers[] = {c->provider, "gcp", "azure"};
	const struct sw_machine *m = NULL;
	for (size_t i = 0; !m && i < sizeof providers / sizeof *providers; i++)
		m = sw_catalog_machine(cat, providers[i], c->machine, c->region);
	return m ? c->spot ? m->spot_hour : m->price_hour : NAN;
}

/* Prices move by as much as the machine's do from one catalog to the other; what neither knows stays. */
static void reprice(const struct replay *r, struct sw_candidate *c)
{
	if (!c->machine || isnan(c->price_hour))
		return;
	double was = machine_price(r->catalog, c), now = machine_price(r->prices, c);
	if (was > 0 && isfinite(now))
		c->price_hour *= now / was;
}

static struct sw_err replay_one(struct replay *r, struct sw_decision_read *d)
{
	struct sw_policy_input *in = sw_policy_question_input(d->question);
	struct sw_candidate *c = sw_policy_question_candidates(d->question);
	struct sw_policy_plan *plan = sw_calloc(1, sizeof *plan);
	struct outcome o = {.was = place_of(d->failed ? NULL : &d->plan, in), .was_price = NAN, .now_price = NAN};
	struct sw_err e = SW_OK;
	o.was_error = d->failed ? d->error : NULL;
	if (o.was)
		o.was_price = o.was->price_hour;
	for (size_t i = 0; r->prices && i < in->n_candidates; i++)
		reprice(r, &c[i]);
	if (r->with)
		e = sw_policy_place(r->with, in, plan);
	else if (!d->failed)
		*plan = d->plan;
	if (sw_failed(e))
		o.now_error = e.text;
	else
		o.now = place_of(plan, in);
	if (o.now)
		o.now_price = o.now->price_hour;
	o.moved = !same_place(o.was, o.now) || !o.was_error != !o.now_error;
	o.plan_differs = !d->failed && !sw_failed(e) && !sw_plan_equal(plan, &d->plan);
	note(r, d, &o);
	free(plan);
	return SW_OK;
}

/* ---- files ------------------------------------------------------------------------------------ */

static void read_line(struct replay *r, const char *file, int line, const char *at, size_t n)
{
	struct sw_decision_read d;
	if (!n)
		return;
	struct sw_err e = sw_decision_parse(at, n, r->catalog, &d);
	if (!sw_failed(e)) {
		r->decisions++;
		e = replay_one(r, &d);
		sw_decision_read_fini(&d);
	}
	if (!sw_failed(e))
		return;
	if (!r->unreadable++)
		r->first_wrong = sw_err_wrap(e, "%s:%d", file, line);
}

static struct sw_err read_file(struct replay *r, const char *file)
{
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int nth = 0;
	if (!f)
		return sw_err(SW_E_MISSING, "%s: cannot open: %s", file, strerror(errno));
	while ((n = getline(&line, &size, f)) > 0) {
		nth++;
		if (n > LINE_MAX_BYTES)
			r->unreadable++;
		else
			read_line(r, file, nth, line, (size_t)n - (line[n - 1] == '\n'));
	}
	free(line);
	if (f != stdin)
		fclose(f);
	return SW_OK;
}

/* ---- the answer --------------------------------------------------------------------------------- */

static json_t *sum_json(const struct sum *s)
{
	json_t *o = json_object_new_object();
	sw_json_set_int(o, "placed", s->placed);
	sw_json_set_int(o, "failed", s->failed);
	json_object_object_add(o, "priceHour", json_object_new_double(s->price));
	json_object_object_add(o, "waitSeconds", json_object_new_double(s->wait));
	return o;
}

static void print_json(const struct replay *r)
{
	json_t *o = json_object_new_object();
	sw_json_set_int(o, "decisions", r->decisions);
	sw_json_set_int(o, "unreadable", r->unreadable);
	sw_json_set_int(o, "placesChanged", r->moved);
	sw_json_set_int(o, "plansChanged", r->plans);
	if (r->with) {
		sw_json_set_str(o, "policy", sw_policy_name(r->with));
		sw_json_set_str(o, "policyHash", sw_policy_hash(r->with));
	}
	json_object_object_add(o, "before", sum_json(&r->before));
	json_object_object_add(o, "after", sum_json(&r->after));
	json_object_object_add(o, "changes", json_object_get(r->rows));
	cli_print_json(stdout, o);
	json_object_put(o);
}

/* "+$2.10", "-5m", "" */
static void set_change(json_t *row, const char *to, const char *from, bool money)
{
	char text[64], age[32];
	json_t *v = sw_json_key(row, from);
	double n = json_object_get_double(v);
	if (!v)
		return;
	const char *sign = n < 0 ? "-" : n > 0 ? "+" : "";
	if (money)
		snprintf(text, sizeof text, "%s$%.2f", sign, fabs(n));
	else
		snprintf(text, sizeof text, "%s%s", sign, sw_age_text((int64_t)(fabs(n) * 1000), age));
	sw_json_set_str(row, to, text);
}

static const char *place_words(json_t *row, const char *key)
{
	json_t *o = sw_json_key(row, key);
	const char *place = sw_json_str(o, "place");
	return place ? place : sw_json_str(o, "error") ? "(failed)" : "(not now)";
}

static void print_changes(const struct replay *r)
{
	static const struct cli_column cols[] = {
		{"TIME", "time", false, CLI_PLAIN},  {"WORKLOAD", "workload", false, CLI_PLAIN},
		{"BEFORE", "was", false, CLI_PLAIN}, {"AFTER", "now", false, CLI_PLAIN},
		{"$/H", "money", true, CLI_PLAIN},   {"WAIT", "wait", true, CLI_PLAIN},
	};
	for (size_t i = 0; i < sw_json_len(r->rows); i++) {
		json_t *row = sw_json_idx(r->rows, i);
		sw_json_set_str(row, "was", place_words(row, "before"));
		sw_json_set_str(row, "now", place_words(row, "after"));
		set_change(row, "money", "priceHour", true);
		set_change(row, "wait", "waitSeconds", false);
	}
	if (!sw_json_len(r->rows))
		return;
	cli_print_table(stdout, cols, sizeof cols / sizeof *cols, r->rows);
	printf("\n");
}

static int64_t mean_ms(const struct sum *s)
{
	return (int64_t)(s->wait / s->n_wait * 1000);
}

static void print_people(const struct replay *r)
{
	const struct sum *b = &r->before, *a = &r->after;
	char was[32], now[32];
	print_changes(r);
	printf("%d decisions, %d go elsewhere, %d more have another plan\n", r->decisions, r->moved,
	       r->plans > r->moved ? r->plans - r->moved : 0);
	printf("%-22s %12s %12s\n", "", "BEFORE", "AFTER");
	printf("%-22s %12d %12d\n", "jobs with a place", b->placed, a->placed);
	if (b->failed || a->failed)
		printf("%-22s %12d %12d\n", "decisions that failed", b->failed, a->failed);
	snprintf(was, sizeof was, "$%.2f", b->price);
	snprintf(now, sizeof now, "$%.2f", a->price);
	printf("%-22s %12s %12s   %s$%.2f\n", "price per hour", was, now, a->price < b->price ? "-" : "+",
	       fabs(a->price - b->price));
	printf("%-22s %12s %12s\n", "mean wait expected", b->n_wait ? sw_age_text(mean_ms(b), was) : "-",
	       a->n_wait ? sw_age_text(mean_ms(a), now) : "-");
}

/* ---- the verb ------------------------------------------------------------------------------------- */

static struct sw_err open_policy(const struct policy_args *a, struct sw_policy **out)
{
	struct sw_policy_text t;
	*out = NULL;
	if (!a->with)
		return SW_OK;
	struct sw_err e = sw_policy_text_read(a->with, &t);
	if (!sw_failed(e)) {
		e = sw_policy_new(t.name, t.src, t.len, a->limits, out);
		sw_policy_text_free(&t);
	}
	return e;
}

static struct sw_err replay_all(struct replay *r, int n, char **files)
{
	struct sw_catalog_site site = {.files = &r->args->catalog, .n_files = 1};
	struct sw_err e = sw_catalog_load(&r->catalog);
	if (!sw_failed(e) && r->args->catalog)
		e = sw_catalog_load_site(&site, &r->prices);
	if (!sw_failed(e))
		e = open_policy(r->args, &r->with);
	for (int i = 0; !sw_failed(e) && i < n; i++)
		e = read_file(r, files[i]);
	if (!sw_failed(e) && !r->decisions)
		e = r->unreadable ? r->first_wrong : sw_err(SW_E_MISSING, "no decision is recorded there");
	return e;
}

int policy_replay(const struct cli_command *self, const struct policy_args *a, int n, char **words)
{
	struct replay r = {.args = a};
	if (!n || (!a->with && !a->catalog))
		return cli_misuse(self,
				  "replay needs --with POLICY or --catalog FILE, and at least one log of decisions");
	r.rows = json_object_new_array();
	struct sw_err e = replay_all(&r, n, words);
	int rc = sw_failed(e) ? cli_fail(self, "%s", e.text) : CLI_OK;
	if (rc == CLI_OK && a->json)
		print_json(&r);
	else if (rc == CLI_OK)
		print_people(&r);
	if (rc == CLI_OK && r.unreadable)
		fprintf(stderr, "spillway policy: %d lines were left out; the first: %s\n", r.unreadable,
			r.first_wrong.text);
	json_object_put(r.rows);
	sw_policy_free(r.with);
	sw_catalog_free(r.catalog);
	sw_catalog_free(r.prices);
	return rc;
}
