/* SPDX-License-Identifier: Apache-2.0 */
/* checks.c - the table of checks, and those that every cluster gets */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "spillway/text.h"

enum { SKEW_WARN_MS = 5 * 1000, SKEW_FAIL_MS = 60 * 1000 };

const struct doctor_check doctor_checks[] = {
	{"clock", DOCTOR_ANY, doctor_check_clock},
	{"credentials", DOCTOR_ANY, doctor_check_credential},
	{"rights", DOCTOR_ANY, doctor_check_rights},
	{"job kinds", DOCTOR_ANY, doctor_check_kinds},
	{"Kueue's API", DOCTOR_MANAGER | DOCTOR_KUEUE | DOCTOR_SEEN, doctor_check_kueue_api},
	{"Kueue", DOCTOR_MANAGER, doctor_check_kueue_version},
	{"admission check", DOCTOR_MANAGER, doctor_check_admission_check},
	{"admission policy", DOCTOR_MIRROR, doctor_check_policy},
	{"nomination", DOCTOR_NOMINATE, doctor_check_nomination},
	{"origin", DOCTOR_MANAGER, doctor_check_origin},
	{"queues", DOCTOR_MANAGER, doctor_check_queues},
	{"jobs", DOCTOR_MIRROR, doctor_check_jobs},
	{"claim", DOCTOR_OURS, doctor_check_claim},
	{"other managers", DOCTOR_KUEUE, doctor_check_others},
	{"queues", DOCTOR_KUEUE | DOCTOR_SEEN, doctor_check_worker_queues},
	{"nodes", DOCTOR_WORKER, doctor_check_nodes},
	{0},
};

void doctor_check_all(struct doctor_site *s)
{
	for (size_t i = 0; i < s->n_clusters; i++) {
		struct doctor_cluster *c = &s->clusters[i];
		doctor_check_reach(s, c);
		for (const struct doctor_check *k = doctor_checks; k->name && !sw_failed(c->unreachable); k++)
			if (k->scope & c->scope)
				k->run(s, c);
	}
}

/* "1.36.1" of "v1.36.1+k3s1": what follows the numbers is the vendor's. */
static int minor_version(const struct doctor_cluster *c)
{
	const char *minor = sw_json_str(doctor_body(c, "version"), "minor");

	return minor ? (int)strtol(minor, NULL, 10) : 0;
}

void doctor_check_reach(struct doctor_site *s, struct doctor_cluster *c)
{
	enum { OLDEST = 31 }; /* the oldest whose batch/v1 has managedBy on by default is 1.32 */
	const char *version = sw_json_str(doctor_body(c, "version"), "gitVersion");

	if (sw_failed(c->unreachable))
		doctor_say(s, c, DOCTOR_FAIL, "in reach",
			   c->unreachable.code == SW_E_INVALID /* nothing was asked: the text says what to do */
				   ? NULL
				   : sw_strdup("kubectl --kubeconfig FILE get --raw /version"),
			   "%s", c->unreachable.text);
	else if (c->scope & DOCTOR_MANAGER && minor_version(c) && minor_version(c) <= OLDEST)
		doctor_say(s, c, DOCTOR_FAIL, "in reach", NULL,
			   "Kubernetes %s: expected 1.32 or newer, whose Jobs have spec.managedBy", version);
	else
		doctor_say(s, c, DOCTOR_OK, "in reach", NULL, "Kubernetes %s",
			   version ? version : "of unknown version");
}

void doctor_check_clock(struct doctor_site *s, struct doctor_cluster *c)
{
	char by[32];
	int64_t off = c->ahead_ms < 0 ? -c->ahead_ms : c->ahead_ms;

	if (!c->told_time)
		return;
	sw_age_text(off, by);
	if (off < SKEW_WARN_MS)
		doctor_say(s, c, DOCTOR_OK, "clock", NULL, "within %d s", SKEW_WARN_MS / 1000);
	else
		doctor_say(s, c, off < SKEW_FAIL_MS ? DOCTOR_WARN : DOCTOR_FAIL, "clock",
			   sw_strdup("chronyc tracking, on both machines"), "%s %s ours: leases and deadlines go wrong",
			   by, c->ahead_ms < 0 ? "behind" : "ahead of");
}

/* ---- job kinds ------------------------------------------------------------------------ */

static bool some_worker_serves(const struct doctor_site *s, const struct sw_kind *k)
{
	for (size_t i = 0; i < s->n_clusters; i++)
		if (s->clusters[i].scope & DOCTOR_WORKER && doctor_serves_kind(&s->clusters[i], k))
			return true;
	return false;
}

static bool has_workers(const struct doctor_site *s)
{
	for (size_t i = 0; i < s->n_clusters; i++)
		if (s->clusters[i].scope & DOCTOR_WORKER && !sw_failed(s->clusters[i].unreachable))
			return true;
	return false;
}

void doctor_check_kinds(struct doctor_site *s, struct doctor_cluster *c)
{
	struct sw_buf served, nowhere;
	const struct sw_kind *k;

	sw_buf_init(&served, 1024);
	sw_buf_init(&nowhere, 1024);
	for (size_t i = 0; (k = sw_kind_at(i)); i++) {
		if (!doctor_serves_kind(c, k))
			continue;
		sw_buf_printf(&served, "%s%s", served.len ? ", " : "", k->kind);
		if (c->scope & DOCTOR_MANAGER && has_workers(s) && !some_worker_serves(s, k))
			sw_buf_printf(&nowhere, "%s%s", nowhere.len ? ", " : "", k->kind);
	}
	if (nowhere.len)
		doctor_say(s, c, DOCTOR_WARN, "job kinds", sw_strdup("install their operators on a worker"),
			   "no worker serves %s", nowhere.at);
	doctor_say(s, c, served.len ? DOCTOR_OK : DOCTOR_FAIL, "job kinds", NULL, "%s",
		   served.len ? served.at : "none is served");
	sw_buf_fini(&served);
	sw_buf_fini(&nowhere);
}

void doctor_check_nodes(struct doctor_site *s, struct doctor_cluster *c)
{
	json_t *nodes = doctor_items(c, "list nodes");
	size_t ready = 0;

	if (!nodes)
		return; /* the rights say so */
	for (size_t i = 0; i < sw_json_len(nodes); i++)
		ready += sw_json_condition_true(sw_json_idx(nodes, i), "Ready") &&
			 !sw_json_bool(sw_json_idx(nodes, i), "spec.unschedulable");
	if (!ready)
		doctor_say(s, c, DOCTOR_WARN, "nodes", NULL, "none of %zu is ready for pods%s", sw_json_len(nodes),
			   sw_json_len(nodes) ? "" : ": fine if its pools grow from zero");
	else
		doctor_say(s, c, DOCTOR_OK, "nodes", NULL, "%zu of %zu ready", ready, sw_json_len(nodes));
}
