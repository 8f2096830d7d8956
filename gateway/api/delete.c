/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delete.c - deletes: preconditions, finalizers, what happens to dependents
 *
 * An object without finalizers goes at once; with them it is marked and goes with the last one.
 * Grace periods end at once: what runs elsewhere is ended by whoever runs it. Foreground and background are
 * the same here: the owner goes first, its dependents right after (gc.c); no client needs to wait for a finalizer that
 * a collector would have to take off. Orphan takes the owner out of its dependents.
 */
#include "api_priv.h"

#include <string.h>
#include "spillway/text.h"

static json_t *preconditions_check(struct write *w, const struct sw_delete_options *opt, const struct current *c)
{
	const char *uid = sw_json_str(c->object, "metadata.uid");
	char why[200], rv[24];
	snprintf(rv, sizeof(rv), "%llu", (unsigned long long)c->rv);
	if (*opt->uid && (!uid || strcmp(opt->uid, uid) != 0))
		snprintf(why, sizeof(why), "Precondition failed: UID in precondition: %s, UID in object meta: %s",
			 opt->uid, uid ? uid : "");
	else if (*opt->rv && strcmp(opt->rv, rv) != 0)
		snprintf(why, sizeof(why),
			 "Precondition failed: ResourceVersion in precondition: %s, ResourceVersion in object meta: %s",
			 opt->rv, rv);
	else
		return NULL;
	return sw_status_conflict(w->r, w->name, why);
}

static bool is_namespace(const struct write *w)
{
	return strcmp(w->r->id, "namespaces") == 0;
}

static json_t *namespace_kept(const struct write *w)
{
	static const char *const kept[] = {"default", "kube-system"};
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (strcmp(w->name, kept[i]) == 0)
			return sw_status(SW_REASON_FORBIDDEN,
					 "namespaces \"%s\" is forbidden: this namespace may not be deleted", w->name);
	return NULL;
}

/* Finalizers hold it, or it is a namespace, whose content goes first. */
static void mark(struct write *w, struct current *c)
{
	char now[32];
	json_t *o = c->object;
	w->code = 200;
	if (sw_json_str(o, "metadata.deletionTimestamp")) { /* marked before; wait for that to be durable */
		if (c->rv > sw_store_rv(w->api->store)) {
			write_store(w, o, c->rv, false);
			return;
		}
		if (w->want_body)
			w->body = sw_bytes_ref(c->bytes);
		if (w->want_object) {
			sw_resource_to_storage(w->r, o);
			w->object = json_object_get(o);
		}
		return;
	}
	sw_json_set_str(o, "metadata.deletionTimestamp", sw_time_text(sw_loop_wall(w->api->loop), now));
	sw_json_set_int(o, "metadata.deletionGracePeriodSeconds", 0);
	if (w->r->flags & SW_RES_GENERATION)
		sw_json_set_int(o, "metadata.generation", sw_json_int(o, "metadata.generation", 0) + 1);
	if (is_namespace(w))
		sw_json_set_str(o, "status.phase", "Terminating");
	write_store(w, o, c->rv, false);
	if (is_namespace(w) && !w->dry_run)
		gc_namespace(w->api, w->name);
}

static void remove_now(struct write *w, struct current *c, const struct sw_delete_options *opt)
{
	const char *uid = sw_json_str(c->object, "metadata.uid");
	json_t *answer = sw_status_success(w->r, w->name, uid ? uid : "");
	if (uid && !w->dry_run) {
		if (opt->propagation == SW_PROPAGATE_ORPHAN)
			gc_orphan(w->api, uid);
		else
			gc_owner_going(w->api, uid);
	}
	w->want_body = false;
	write_store(w, c->object, c->rv, true);
	if (opt->propagation == SW_PROPAGATE_ORPHAN)
		w->gone_uid[0] = '\0';
	w->code = 200;
	w->answer = answer;
}

void write_delete(struct write *w, const struct sw_delete_options *opt)
{
	struct current c;
	if (!write_current(w, &c))
		return;
	w->dry_run = w->dry_run || opt->dry_run;
	json_t *no = preconditions_check(w, opt, &c);
	/* By gc.c, when it is empty. */
	bool terminated = is_namespace(w) && w->trusted && sw_json_str(c.object, "metadata.deletionTimestamp");
	if (!no && is_namespace(w) && !terminated)
		no = namespace_kept(w);
	if (no)
		write_refuse(w, no);
	else if (sw_json_len(sw_json_at(c.object, "metadata.finalizers")) > 0 || (is_namespace(w) && !terminated))
		mark(w, &c);
	else
		remove_now(w, &c, opt);
	current_fini(&c);
}
