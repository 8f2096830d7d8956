/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set_back.c - a server whose store was restored from an older copy
 *
 * Two things tell. A collection's present resourceVersion may be lower than the one that was watched last
 * (reflector_ask.c). And an object that is written often, the canary, may be older than it was: that holds however far
 * the restored server's revision has come since, for the canary's own resourceVersion moves only with the canary. So
 * what stays unseen is a copy that is younger than the last write of the canary on a server that has passed the
 * revision it had.
 *
 * Resource versions of one collection can be compared as numbers: since Kubernetes 1.35 that is promised, and it was so
 * before. What is no number is not compared.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "reflector_priv.h"
#include "spillway/log.h"
#include "spillway/text.h"

static bool is_number(const char *s)
{
	return s && *s && strspn(s, "0123456789") == strlen(s);
}

bool kube_rv_is_older(const char *present, const char *seen)
{
	if (!is_number(present) || !is_number(seen))
		return false;
	present += strspn(present, "0");
	seen += strspn(seen, "0");
	size_t n = strlen(present), m = strlen(seen);
	return n != m ? n < m : strcmp(present, seen) < 0;
}

/* What it watches is nobody's truth any more, until it has been listed anew. */
static void lose(struct sw_reflector *r)
{
	reflector_enter(r);
	r->is_listed = r->must_ask = false;
	if (reflector_lost(r, "the server was set back in time: listing anew"))
		reflector_rekeyed(r);
	reflector_leave(r);
}

/* All collections of the server went back with it, whatever their numbers say. */
void kube_set_back(struct sw_kube *k, const char *path, const char *seen, const char *present)
{
	struct sw_reflector *r, *next;

	sw_log(WARN, "kube", "the server was set back in time, listing anew",
	       "cluster=%s path=\"%s\" seen=%s present=%s", k->name, path, seen, present);
	free(k->canary_rv); /* it went back too: that is not told again */
	k->canary_rv = NULL;
	if (k->on_set_back)
		k->on_set_back(k->owner);
	DL_FOREACH_SAFE(k->reflectors, r, next)
	lose(r);
}

bool sw_kube_canary(struct sw_kube *k, const char *path, const char *rv)
{
	if (!rv)
		return true;
	bool same = k->canary && strcmp(k->canary, path) == 0;
	bool older = same && kube_rv_is_older(rv, k->canary_rv);

	if (!same) {
		free(k->canary);
		k->canary = sw_strdup(path);
	}
	if (older)
		kube_set_back(k, path, k->canary_rv, rv);
	free(k->canary_rv);
	k->canary_rv = sw_strdup(rv);
	return !older;
}
