/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks.c - answers the manager's API server: is this a job of a labelled LocalQueue?
 *
 * For servers without MutatingAdmissionPolicy (before Kubernetes 1.36), in the mirror role: POST /spillway/v1/mark
 * takes an AdmissionReview (mark.h). Every replica answers, leading or not; so each watches the labelled LocalQueues
 * itself.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway_priv.h"
#include "spillway/mark.h"
#include "spillway/mirror.h"
#include "spillway/text.h"
#include <uthash.h>

struct marked {
	UT_hash_handle hh;
	char key[]; /* "ns/name" */
};

struct marks {
	struct sw_reflector *reflector;
	struct marked *queues;
	bool synced; /* once: what was known stays good enough while the server is out of sight, for it asks us itself
		      */
};

static void on_object(void *owner, enum sw_obj_event ev, const char *key, json_t *object)
{
	struct marks *m = owner;
	struct marked *q;
	(void)object;
	HASH_FIND_STR(m->queues, key, q);
	if (ev == SW_OBJ_GONE && q) {
		HASH_DEL(m->queues, q);
		free(q);
	} else if (ev == SW_OBJ_PUT && !q) {
		q = sw_calloc(1, sizeof *q + strlen(key) + 1);
		memcpy(q->key, key, strlen(key) + 1);
		HASH_ADD_STR(m->queues, key, q);
	}
}

static void on_state(void *owner, bool synced, uint64_t since_ms, const char *why)
{
	struct marks *m = owner;
	(void)since_ms, (void)why;
	m->synced |= synced;
}

struct sw_err gateway_open_marks(struct sw_gateway *g)
{
	const struct sw_reflector_cfg cfg = {.path = "/apis/kueue.x-k8s.io/v1beta2/localqueues",
					     .label_selector = SW_LABEL_DISPATCH "=true",
					     .on_object = on_object,
					     .on_state = on_state};
	if (g->config->manager_role != SW_MANAGER_MIRROR)
		return SW_OK;
	g->marks = sw_calloc(1, sizeof *g->marks);
	struct sw_reflector_cfg own = cfg;
	own.owner = g->marks;
	return sw_reflector_new(sw_mirror_kube(g->manager), &own, &g->marks->reflector);
}

void gateway_close_marks(struct sw_gateway *g)
{
	struct marked *q, *next;
	if (!g->marks)
		return;
	sw_reflector_free(g->marks->reflector);
	HASH_ITER(hh, g->marks->queues, q, next)
	{
		HASH_DEL(g->marks->queues, q);
		free(q);
	}
	free(g->marks);
	g->marks = NULL;
}

static enum sw_marking is_ours(void *owner, const char *ns, const char *queue)
{
	struct marks *m = owner;
	struct marked *q;
	char *key = sw_asprintf("%s/%s", ns, queue);
	HASH_FIND_STR(m->queues, key, q);
	free(key);
	return q ? SW_MARK_YES : m->synced ? SW_MARK_NO : SW_MARK_UNKNOWN;
}

struct sw_err gateway_mark(void *owner, json_t *body, json_t **out)
{
	struct sw_gateway *g = owner;
	if (!g->marks)
		return sw_err(SW_E_MISSING, "only a gateway in the mirror role marks jobs");
	return sw_mark_review(body, is_ours, g->marks, out);
}
