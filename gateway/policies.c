/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies.c - the policies that decide here, and how they are replaced while the gateway runs
 *
 * A change of a file (its folder is watched, so that editors and mounted ConfigMaps, which rename, are seen) or SIGHUP
 * makes every policy be read again. One whose text is new is called with made-up inputs and its tests are run, by a
 * thread of libuv's pool; then it takes the old one's place between two decisions. A bad one is refused with the
 * reason, and the last good one stays. Each text is tried once, unless SIGHUP asks again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_priv.h"
#include "spillway/text.h"

static const char shipped_default[] = "burst";

/* One policy, and whose jobs it decides. */
struct decider {
	const char *queue; /* NULL: all that have none of their own */
	const char *word;  /* a path or a shipped policy */
	struct sw_policy *policy;
	struct sw_policy_text text; /* as read for the trial that runs */
	struct sw_err verdict;
	bool tried_now;
	char tried[65]; /* digest of what was tried last */
};

struct policies {
	struct sw_gateway *g;
	struct decider *at;
	size_t n;
	struct sw_policy_rule *rules;
	struct watch *watch;
	uv_work_t work;
	bool busy, again, force, closing;
	struct sw_metric *m_info, *m_reloads;
};

static struct sw_policy_limits limits_of(const struct sw_gateway *g)
{
	return (struct sw_policy_limits){g->config->policy_instructions, (size_t)g->config->policy_memory_bytes};
}

/* ---- trials ------------------------------------------------------------------------ */

struct trial {
	int failed, n;
	struct sw_err first;
};

static void on_result(void *owner, const char *what, struct sw_err e)
{
	struct trial *t = owner;
	t->n++;
	if (sw_failed(e) && t->failed++ == 0)
		t->first = sw_err_wrap(e, "%s", what);
}

/* Touches nothing of the gateway: a pool's thread may do it. */
static struct sw_err try_text(const struct sw_policy_text *text, struct sw_policy_limits limits)
{
	struct sw_policy_source policy = {text->name, text->src, text->len},
				tests = {text->test_name, text->test_src, text->test_len};
	struct trial t = {0};
	struct sw_err e = sw_policy_check(&policy, limits, on_result, &t);
	if (!sw_failed(e) && !t.failed && text->test_src)
		e = sw_policy_test(&policy, &tests, limits, on_result, &t);
	if (!sw_failed(e) && t.failed)
		e = t.failed == 1 ? t.first : sw_err_wrap(t.first, "%d tests fail, the first", t.failed);
	return e;
}

static void digest(const struct sw_policy_text *text, char out[65])
{
	struct sw_buf b;
	sw_buf_init(&b, 4 << 20);
	sw_buf_put(&b, text->src, text->len + 1);
	if (text->test_src)
		sw_buf_put(&b, text->test_src, text->test_len);
	sw_sha256_hex(b.at, b.len, out);
	sw_buf_fini(&b);
}

/* ---- taking over -------------------------------------------------------------------- */

static const char *queue_word(const struct decider *d)
{
	return d->queue ? d->queue : "";
}

static void say_version(struct policies *p, const struct decider *d, double value)
{
	sw_metric_set(p->m_info, value, queue_word(d), sw_policy_name(d->policy), sw_policy_hash(d->policy));
}

static void install(struct policies *p)
{
	size_t n = 0;
	for (size_t i = 1; i < p->n; i++)
		p->rules[n++] = (struct sw_policy_rule){p->at[i].queue, p->at[i].policy};
	p->g->policy = p->at[0].policy;
	if (p->g->nominate)
		sw_nominate_set_policies(p->g->nominate, p->at[0].policy, p->rules, n);
	if (p->g->dispatch)
		sw_dispatch_set_policies(p->g->dispatch, p->at[0].policy, p->rules, n);
}

static void refuse(struct policies *p, const struct decider *d, struct sw_err e)
{
	sw_metric_add(p->m_reloads, 1, "refused");
	sw_log(ERROR, "gateway", "the new policy is refused, the last good one stays",
	       "queue=\"%s\" hash=%s error=\"%s\"", queue_word(d), sw_policy_hash(d->policy), e.text);
	gateway_tell(p->g, true, "PolicyRefused", "The last good policy %s (%s) goes on deciding: %s",
		     sw_policy_name(d->policy), sw_policy_hash(d->policy), e.text);
}

static void take_over(struct policies *p, struct decider *d)
{
	struct sw_policy *fresh, *old = d->policy;
	struct sw_err e = sw_policy_new(d->text.name, d->text.src, d->text.len, limits_of(p->g), &fresh);
	if (sw_failed(e)) {
		refuse(p, d, e);
		return;
	}
	sw_metric_add(p->m_reloads, 1, "accepted");
	say_version(p, d, 0);
	d->policy = fresh;
	install(p);
	say_version(p, d, 1);
	sw_log(INFO, "gateway", "policy reloaded", "queue=\"%s\" policy=%s hash=%s before=%s", queue_word(d),
	       sw_policy_name(fresh), sw_policy_hash(fresh), sw_policy_hash(old));
	gateway_tell(p->g, false, "PolicyReloaded", "Policy %s (%s) decides %s%s, before it %s", sw_policy_name(fresh),
		     sw_policy_hash(fresh), d->queue ? "for queue " : "now", queue_word(d), sw_policy_hash(old));
	sw_policy_free(old);
}

/* ---- reloading ------------------------------------------------------------------------ */

static void on_trial(uv_work_t *w)
{
	struct policies *p = w->data;
	for (size_t i = 0; i < p->n; i++)
		if (p->at[i].tried_now)
			p->at[i].verdict = try_text(&p->at[i].text, limits_of(p->g));
}

static void on_trial_done(uv_work_t *w, int status)
{
	struct policies *p = w->data;
	p->busy = false;
	for (size_t i = 0; i < p->n; i++) {
		struct decider *d = &p->at[i];
		if (d->tried_now && !p->closing && !status && !sw_failed(d->verdict))
			take_over(p, d);
		else if (d->tried_now && !p->closing)
			refuse(p, d, d->verdict);
		d->tried_now = false;
		sw_policy_text_free(&d->text);
	}
	if (p->again && !p->closing)
		gateway_watch_again(p->watch, false);
	p->again = false;
}

/* Is there something new to try? */
static bool read_again(struct policies *p, struct decider *d)
{
	char now[65];
	struct sw_err e = sw_policy_text_read(d->word, &d->text);
	if (sw_failed(e))
		sw_sha256_hex(e.text, strlen(e.text), now);
	else
		digest(&d->text, now);
	bool fresh = p->force || strcmp(now, d->tried) != 0;
	memcpy(d->tried, now, sizeof now);
	if (sw_failed(e) && fresh)
		refuse(p, d, e);
	if (sw_failed(e) || !fresh)
		sw_policy_text_free(&d->text);
	return !sw_failed(e) && fresh;
}

static void on_settled(void *owner)
{
	struct policies *p = owner;
	bool any = false;
	if (p->busy) {
		p->again = true;
		return;
	}
	for (size_t i = 0; i < p->n; i++)
		any |= p->at[i].tried_now = read_again(p, &p->at[i]);
	p->force = false;
	if (!any)
		return;
	p->work.data = p;
	p->busy = uv_queue_work(sw_loop_uv(p->g->loop), &p->work, on_trial, on_trial_done) == 0;
	if (!p->busy)
		p->again = true;
}

void sw_gateway_reload(struct sw_gateway *g)
{
	g->policies->force = true;
	gateway_watch_again(g->policies->watch, true);
	gateway_tables_reload(g);
	gateway_clusters_reload(g);
}

/* ---- opening and closing ----------------------------------------------------------------- */

static struct sw_err run_tests(const struct policies *p, const struct sw_policy_text *text)
{
	struct trial t = {0};
	if (!text->test_src)
		return SW_OK;
	struct sw_err e = sw_policy_test(&(struct sw_policy_source){text->name, text->src, text->len},
					 &(struct sw_policy_source){text->test_name, text->test_src, text->test_len},
					 limits_of(p->g), on_result, &t);
	return sw_failed(e) || !t.failed ? e : t.first;
}

/* At the start there is no last good one: a policy that does not compile or fails its own tests stops the start. One
 * that would fail with made-up inputs does not: it decided yesterday. */
static struct sw_err open_one(struct policies *p, struct decider *d)
{
	struct sw_err e = sw_policy_text_read(d->word, &d->text);
	if (sw_failed(e))
		return e;
	digest(&d->text, d->tried);
	bool shipped = !strchr(d->word, '/') && !strstr(d->word, ".lua"); /* tested when it was built */
	e = shipped ? SW_OK : run_tests(p, &d->text);
	if (!sw_failed(e))
		e = sw_policy_new(d->text.name, d->text.src, d->text.len, limits_of(p->g), &d->policy);
	if (!sw_failed(e) && !shipped)
		gateway_watch_file(p->watch, d->text.name);
	sw_policy_text_free(&d->text);
	return e;
}

struct sw_err gateway_policies_open(struct sw_gateway *g)
{
	struct policies *p = g->policies = sw_calloc(1, sizeof *p);
	const struct sw_config *c = g->config;
	p->g = g;
	p->n = c->n_policies + 1;
	p->at = sw_calloc(p->n, sizeof *p->at);
	p->rules = sw_calloc(p->n, sizeof *p->rules);
	p->m_info = sw_metric(g->metrics, SW_GAUGE, "spillway_policy_info",
			      "1 for the version of the policy that decides, by queue (\"\": all others).",
			      "queue,policy,hash");
	p->m_reloads = sw_metric(g->metrics, SW_COUNTER, "spillway_policy_reloads_total",
				 "New versions of policies, by what became of them.", "result");
	struct sw_err e = gateway_watch_new(g->loop, on_settled, p, &p->watch);
	for (size_t i = 0; !sw_failed(e) && i < p->n; i++) {
		struct decider *d = &p->at[i];
		d->queue = i ? c->policies[i - 1].queue : NULL;
		d->word = i ? c->policies[i - 1].file : *c->policy ? c->policy : shipped_default;
		e = open_one(p, d);
		if (sw_failed(e))
			return sw_err_wrap(e, "%s", i ? c->policies[i - 1].where : "policy.file");
		say_version(p, d, 1);
		sw_log(INFO, "gateway", "policy", "queue=\"%s\" policy=%s hash=%s", queue_word(d),
		       sw_policy_name(d->policy), sw_policy_hash(d->policy));
	}
	if (!sw_failed(e))
		install(p);
	return e;
}

void gateway_policies_rules(const struct sw_gateway *g, const struct sw_policy_rule **rules, size_t *n)
{
	*rules = g->policies->rules;
	*n = g->policies->n - 1;
}

void gateway_policies_close(struct sw_gateway *g)
{
	struct policies *p = g->policies;
	if (!p)
		return;
	p->closing = true;
	gateway_watch_free(p->watch);
	while (p->busy) /* a trial ends by itself, within its limits */
		uv_run(sw_loop_uv(g->loop), UV_RUN_ONCE);
	for (size_t i = 0; i < p->n; i++) {
		sw_policy_free(p->at[i].policy);
		sw_policy_text_free(&p->at[i].text);
	}
	free(p->rules);
	free(p->at);
	free(p);
	g->policies = NULL;
}
