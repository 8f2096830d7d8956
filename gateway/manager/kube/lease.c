/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c - which of several gateways leads
 *
 * A coordination.k8s.io Lease, as client-go's leader election uses it: the holder renews it; another takes it over when
 * it has not changed for its duration, by the clock of whoever watches (clocks of machines need not agree). The holder
 * counts from before its request was sent and stops before others may begin. The clock also runs while this machine
 * sleeps or this process is stopped, and mir_may_write() asks it before every single write.
 *
 * A lease once held and lost is not taken again by this process: sw_mirror_options.on_lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "mirror_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum { LEASE_MS = 15000 };

static uint64_t boot_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t clock_ms(const struct mir *m)
{
	return m->opt.clock_ms ? m->opt.clock_ms() : boot_clock_ms();
}

static uint64_t lease_ms(const struct mir *m)
{
	return m->opt.lease_ms ? m->opt.lease_ms : LEASE_MS;
}

static void again_in(struct mir *m, uint64_t ms)
{
	sw_timer_in(m->lease.timer, ms ? ms : 1);
}

void lease_lose(struct mir *m, const char *why)
{
	if (!m->lease.held)
		return;
	m->lease.held = false;
	m->lease.lost = true;
	snprintf(m->why, sizeof(m->why), "%s", why);
	sw_metric_set(m->m_leads, 0);
	sw_log(ERROR, "manager", "no longer leading", "why=\"%s\"", why);
	again_in(m, 1); /* tells from the loop */
}

bool mir_may_write(struct mir *m)
{
	if (m->lease.held && clock_ms(m) >= m->lease.until_ms)
		lease_lose(m, "the lease ran out before it could be renewed");
	return m->lease.held;
}

/* ---- what the Lease says ------------------------------------------------------------------------ */

static void lease_path(const struct mir *m, struct sw_buf *b, bool named)
{
	sw_buf_init(b, 2048);
	sw_kube_path(b, "coordination.k8s.io", "v1", "leases", m->opt.ns, named ? m->opt.lease : NULL, NULL);
}

/* The Lease is what is written most often: an older one than was seen means that the manager's store was restored. */
static void note_age(struct mir *m)
{
	struct sw_buf path;

	lease_path(m, &path, true);
	if (m->lease.rv)
		sw_kube_canary(m->kube, path.at, m->lease.rv);
	sw_buf_fini(&path);
}

static void note(struct mir *m, json_t *object)
{
	struct lease *l = &m->lease;
	const char *holder = sw_json_str(object, "spec.holderIdentity"),
		   *renewed = sw_json_str(object, "spec.renewTime");
	bool changed = !l->holder || strcmp(l->holder, holder ? holder : "") != 0 ||
		       strncmp(l->renewed, renewed ? renewed : "", sizeof(l->renewed) - 1) != 0;

	if (changed)
		l->seen_ms = clock_ms(m);
	free(l->holder);
	free(l->rv);
	l->holder = sw_strdup(holder ? holder : "");
	l->rv = sw_strdup(sw_json_str(object, "metadata.resourceVersion"));
	snprintf(l->renewed, sizeof(l->renewed), "%s", renewed ? renewed : "");
	l->transitions = sw_json_int(object, "spec.leaseTransitions", 0);
	l->duration_ms = sw_json_int(object, "spec.leaseDurationSeconds", 15) * 1000;
	note_age(m);
}

static void won(struct mir *m)
{
	struct lease *l = &m->lease;
	const char *why;
	bool first = !l->held;

	l->held = true;
	l->checked = feeds_synced(m, &why);
	l->until_ms = l->asked_ms + lease_ms(m) * 4 / 5;
	again_in(m, lease_ms(m) / 6);
	if (!first) {
		mir_state(m);
		return;
	}
	sw_metric_set(m->m_leads, 1);
	sw_log(INFO, "manager", "leading", "lease=%s/%s identity=%s", m->opt.ns, m->opt.lease, m->opt.identity);
	notes_read(m);
	checks_look(m);
	mir_state(m);
}

static bool is_free(const struct mir *m)
{
	const struct lease *l = &m->lease;

	return !*l->holder || clock_ms(m) - l->seen_ms >= (uint64_t)(l->duration_ms > 0 ? l->duration_ms : 0);
}

/* ---- requests ---------------------------------------------------------------------------------------- */

static void failed(struct mir *m, struct sw_err e)
{
	if (!m->lease.held) {
		snprintf(m->why, sizeof(m->why), "lease %.60s/%.60s: %.120s", m->opt.ns, m->opt.lease, e.text);
		mir_state(m);
	}
	sw_log(WARN, "manager", "lease", "error=\"%s\"", e.text);
	again_in(m, lease_ms(m) / 15);
}

static void on_read(void *owner, struct sw_err err, const struct sw_kube_reply *reply);
static void on_taken(void *owner, struct sw_err err, const struct sw_kube_reply *reply);

static void request(struct mir *m, const char *method, bool named, struct sw_buf *body, sw_kube_fn *done)
{
	struct sw_buf path;
	struct sw_kube_req req = {.cls = SW_KUBE_LEASE, .method = method, .timeout_ms = (long)lease_ms(m) / 3};

	lease_path(m, &path, named);
	req.path = path.at;
	if (body) {
		req.content_type = strcmp(method, "PATCH") == 0 ? SW_MERGE_PATCH : NULL;
		req.body = body->at;
		req.body_len = body->len;
	}
	m->lease.asked_ms = clock_ms(m);
	struct sw_err e = sw_kube_start(m->kube, &req, done, m, &m->lease.call);

	sw_buf_fini(&path);
	if (sw_failed(e))
		failed(m, e);
}

static void spec_text(struct mir *m, struct sw_buf *b, bool taking)
{
	char now[32];

	sw_time_micro_text(sw_loop_wall(m->loop), now);
	sw_buf_printf(b, "\"spec\":{\"renewTime\":\"%s\"", now);
	if (taking) {
		sw_buf_puts(b, ",\"holderIdentity\":");
		sw_buf_json_str(b, m->opt.identity);
		sw_buf_printf(b, ",\"acquireTime\":\"%s\",\"leaseDurationSeconds\":%llu,\"leaseTransitions\":%lld", now,
			      (unsigned long long)(lease_ms(m) + 999) / 1000, (long long)m->lease.transitions + 1);
	}
	sw_buf_putc(b, '}');
}

static void make(struct mir *m)
{
	struct sw_buf b;

	m->lease.transitions = -1;
	sw_buf_init(&b, 8192);
	sw_buf_puts(&b, "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":");
	sw_buf_json_str(&b, m->opt.lease);
	sw_buf_puts(&b, "},");
	spec_text(m, &b, true);
	sw_buf_putc(&b, '}');
	request(m, "POST", false, &b, on_taken);
	sw_buf_fini(&b);
}

static void take(struct mir *m, bool taking)
{
	struct sw_buf b;

	sw_buf_init(&b, 8192);
	sw_buf_puts(&b, "{\"metadata\":{\"resourceVersion\":");
	sw_buf_json_str(&b, m->lease.rv);
	sw_buf_puts(&b, "},");
	spec_text(m, &b, taking);
	sw_buf_putc(&b, '}');
	request(m, "PATCH", true, &b, on_taken);
	sw_buf_fini(&b);
}

static void read_lease(struct mir *m)
{
	request(m, "GET", true, NULL, on_read);
}

static void on_taken(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct mir *m = owner;

	m->lease.call = NULL;
	if (err.code == SW_E_CONFLICT || err.code == SW_E_EXISTS) {
		read_lease(m); /* by somebody else, or by a request of ours whose reply was lost */
	} else if (sw_failed(err)) {
		failed(m, err);
		free(m->lease.rv); /* what became of it is not known */
		m->lease.rv = NULL;
	} else {
		note(m, reply->object);
		won(m);
	}
}

static void on_read(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct mir *m = owner;
	struct lease *l = &m->lease;

	l->call = NULL;
	if (err.code == SW_E_MISSING && !l->held) {
		make(m);
		return;
	}
	if (sw_failed(err)) {
		failed(m, err);
		return;
	}
	note(m, reply->object);
	bool ours = strcmp(l->holder, m->opt.identity) == 0;

	if (l->held && !ours) {
		lease_lose(m, "another gateway holds the lease");
	} else if (ours || is_free(m)) {
		take(m, !ours);
	} else {
		char why[sizeof(m->why)];

		snprintf(why, sizeof(why), "standing by: %.150s leads", l->holder);
		if (strcmp(why, m->why) != 0)
			sw_log(INFO, "manager", "standing by", "lease=%s/%s leader=%s", m->opt.ns, m->opt.lease,
			       l->holder);
		memcpy(m->why, why, sizeof(why));
		mir_state(m);
		again_in(m, lease_ms(m) / 8);
	}
}

static void on_timer(void *owner)
{
	struct mir *m = owner;
	struct lease *l = &m->lease;

	if (l->lost) {
		mir_state(m);
		if (m->opt.on_lost)
			m->opt.on_lost(m->opt.owner, m->why);
		return;
	}
	if (l->call)
		return;
	if (l->held && !mir_may_write(m))
		return;
	if (l->held && l->rv)
		take(m, false);
	else
		read_lease(m);
}

/*
 * A server that went away may come back as an older copy of itself, and watches on it may open as if nothing had
 * happened. So it is in sight again when the lease was renewed since: that tells (note_age).
 */
void lease_check(struct mir *m)
{
	const char *why;

	if (!feeds_synced(m, &why))
		m->lease.checked = false;
	else if (!m->lease.checked && m->lease.held && !m->lease.call)
		again_in(m, 0);
}

/* ---- life ------------------------------------------------------------------------------------------------ */

struct sw_err lease_open(struct mir *m)
{
	struct sw_err e = sw_timer_new(m->loop, on_timer, m, &m->lease.timer);

	if (!sw_failed(e))
		again_in(m, 0);
	return e;
}

static void on_released(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	(void)err, (void)reply;
	*(bool *)owner = true;
}

/* So that whoever stands by need not wait. Best effort: the lease runs out by itself. */
static void give_back(struct mir *m)
{
	enum { PATIENCE_MS = 1000 };
	bool done = false;
	struct sw_buf path, body;
	struct sw_kube_call *call;

	lease_path(m, &path, true);
	sw_buf_init(&body, 4096);
	sw_buf_puts(&body, "{\"metadata\":{\"resourceVersion\":");
	sw_buf_json_str(&body, m->lease.rv);
	sw_buf_puts(&body, "},\"spec\":{\"holderIdentity\":\"\"}}");
	struct sw_kube_req req = {.cls = SW_KUBE_FENCE,
				  .method = "PATCH",
				  .path = path.at,
				  .content_type = SW_MERGE_PATCH,
				  .body = body.at,
				  .body_len = body.len,
				  .timeout_ms = PATIENCE_MS};
	if (!sw_failed(sw_kube_start(m->kube, &req, on_released, &done, &call)) &&
	    !sw_loop_until(m->loop, &done, PATIENCE_MS))
		sw_kube_cancel(call);
	sw_buf_fini(&path);
	sw_buf_fini(&body);
}

void lease_close(struct mir *m)
{
	struct lease *l = &m->lease;
	bool leads = l->timer && mir_may_write(m);

	sw_timer_free(l->timer);
	sw_kube_cancel(l->call);
	if (leads && l->rv)
		give_back(m);
	free(l->holder);
	free(l->rv);
}
