/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.c - who this installation is, and how to notice that its store is an old copy
 *
 * Origin: a random id made with the store and kept in the note "identity"; it is durable before any cluster is claimed
 * with it. Epoch: a number in the same note that is written to the claim of every cluster. It grows by one after each
 * start and then every hour, but only once every cluster was seen with a claim that is not newer: first in the store,
 * then on the clusters. So a claim can never be newer than the store that made it, unless the store is an older copy
 * (restored from a backup): then some cluster says NEWER, nothing is placed, created or deleted anywhere, copies that
 * the store knows are followed, and what was found is said. An operator ends this state with
 * sw_dispatch_accept_store().
 */
#include "dispatch_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

#define NOTE "identity"
enum { RAISE_MS = 3600 * 1000, RETRY_MS = 1000 };

struct found {
	const char *origin;
	uint64_t epoch;
	bool any;
	char *kept;
};

static void read_note(void *owner, const char *name, json_t *value)
{
	struct found *f = owner;
	if (strcmp(name, NOTE) != 0)
		return;
	const char *origin = sw_json_str(value, "origin");
	f->any = true;
	f->kept = origin && *origin ? sw_strdup(origin) : NULL;
	f->epoch = (uint64_t)sw_json_int(value, "epoch", 0);
}

static json_t *note_of(const struct sw_dispatch *d, uint64_t epoch)
{
	json_t *note = json_object_new_object();
	sw_json_set_str(note, "origin", d->id.origin);
	sw_json_set_int(note, "epoch", (int64_t)epoch);
	return note;
}

static void raise_again(struct sw_dispatch *d, uint64_t ms)
{
	sw_timer_in(d->id.raise, ms);
}

/* ---- opening ------------------------------------------------------------------ */

static void store_first(struct sw_dispatch *d);

static void on_first_stored(void *owner, struct sw_err err)
{
	struct sw_dispatch *d = owner;
	if (sw_failed(err)) {
		sw_log(ERROR, "dispatch", "the installation's identity cannot be stored", "error=\"%s\"", err.text);
		raise_again(d, RETRY_MS);
		return;
	}
	d->id.stored = true;
	identity_ready(d);
	raise_again(d, RETRY_MS);
}

static void store_first(struct sw_dispatch *d)
{
	json_t *note = note_of(d, d->id.epoch);
	struct sw_err e = d->m->ops->note_put(d->m, NOTE, note, on_first_stored, d);
	json_object_put(note);
	if (sw_failed(e))
		on_first_stored(d, e);
}

static void on_raise(void *owner);

struct sw_err identity_open(struct sw_dispatch *d)
{
	struct found f = {0};
	char uuid[37];
	struct sw_err e = sw_timer_new(d->opt.loop, on_raise, d, &d->id.raise);
	if (sw_failed(e))
		return e;
	d->m->ops->notes(d->m, NOTE, read_note, &f);
	const char *wanted = d->opt.config->origin;
	bool same = f.kept && (!*wanted || strcmp(wanted, f.kept) == 0);
	if (f.any && !same)
		sw_log(WARN, "dispatch", "origin changed by the configuration", "was=%s is=%s",
		       f.kept ? f.kept : "unreadable", wanted);
	d->id.origin = sw_strdup(*wanted ? wanted : f.kept ? f.kept : sw_uuid(uuid));
	d->id.epoch = same && f.epoch ? f.epoch : 1;
	free(f.kept);
	if (same) {
		d->id.stored = true;
		identity_ready(d);
		raise_again(d, RETRY_MS);
	} else
		store_first(d);
	return SW_OK;
}

void identity_close(struct sw_dispatch *d)
{
	sw_timer_free(d->id.raise);
	free(d->id.origin);
}

/* ---- the epoch ------------------------------------------------------------------ */

static bool all_ours(const struct sw_dispatch *d)
{
	for (size_t i = 0; i < sw_workers_count(d->workers); i++)
		if (sw_worker_state(sw_workers_at(d->workers, i)).claim != SW_CLAIM_OURS)
			return false;
	return true;
}

bool identity_store_is_old(const struct sw_dispatch *d)
{
	for (size_t i = 0; d->workers && i < sw_workers_count(d->workers); i++)
		if (sw_worker_state(sw_workers_at(d->workers, i)).claim == SW_CLAIM_NEWER)
			return true;
	return false;
}

static void on_raised(void *owner, struct sw_err err)
{
	struct sw_dispatch *d = owner;
	if (sw_failed(err)) {
		sw_log(WARN, "dispatch", "the epoch cannot be stored", "error=\"%s\"", err.text);
		raise_again(d, RETRY_MS);
		return;
	}
	d->id.epoch = d->id.raising;
	sw_workers_set_epoch(d->workers, d->id.epoch);
	raise_again(d, RAISE_MS);
	dispatch_kick(d);
}

static void raise_to(struct sw_dispatch *d, uint64_t epoch)
{
	json_t *note = note_of(d, epoch);
	d->id.raising = epoch;
	struct sw_err e = d->m->ops->note_put(d->m, NOTE, note, on_raised, d);
	json_object_put(note);
	if (sw_failed(e))
		on_raised(d, e);
}

static void on_raise(void *owner)
{
	struct sw_dispatch *d = owner;
	if (!d->id.stored)
		store_first(d);
	else if (d->synced && all_ours(d))
		raise_to(d, d->id.epoch + 1);
	else
		raise_again(d, RETRY_MS);
}

/* ---- a restored store --------------------------------------------------------------- */

struct census {
	struct sw_dispatch *d;
	size_t known, unknown;
};

static void count_copy(void *owner, struct sw_worker *w, const char *key, const struct sw_kind *kind, const char *ns,
		       const char *name, const char *owner_uid, const struct sw_copy *copy)
{
	struct census *c = owner;
	const struct sw_workload *row = row_of(c->d, key);
	(void)w, (void)kind, (void)ns, (void)name, (void)copy;
	if (row && strcmp(row->job_uid, owner_uid) == 0)
		c->known++;
	else
		c->unknown++;
}

/* Says what a restored store met, each time the picture changes. */
void identity_look(struct sw_dispatch *d)
{
	if (!identity_store_is_old(d)) {
		d->id.told = 0;
		return;
	}
	struct census c = {.d = d};
	for (size_t i = 0; i < sw_workers_count(d->workers); i++)
		sw_worker_each_copy(sw_workers_at(d->workers, i), count_copy, &c);
	uint64_t now = 1 + c.known * 1000003 + c.unknown;
	if (now == d->id.told)
		return;
	d->id.told = now;
	sw_log(ERROR, "dispatch",
	       "the store is older than the clusters: nothing is placed or deleted until an operator accepts it",
	       "epoch=%" PRIu64 " copies_known=%zu copies_unknown=%zu", d->id.epoch, c.known, c.unknown);
}

void sw_dispatch_store_set_back(struct sw_dispatch *d)
{
	if (!d->workers || identity_store_is_old(d))
		return;
	sw_workers_set_back(d->workers);
	identity_look(d);
}

struct sw_err sw_dispatch_accept_store(struct sw_dispatch *d)
{
	uint64_t newest = d->id.epoch;
	if (!d->workers || !identity_store_is_old(d))
		return sw_err(SW_E_INVALID, "no cluster has seen a newer store than ours: there is nothing to accept");
	for (size_t i = 0; i < sw_workers_count(d->workers); i++) {
		uint64_t theirs = sw_worker_state(sw_workers_at(d->workers, i)).claim_epoch;
		newest = theirs > newest ? theirs : newest;
	}
	raise_to(d, newest + 1);
	return SW_OK;
}
