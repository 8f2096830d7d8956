/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claim.c - whose cluster is this?
 *
 * ConfigMap spillway-claim in namespace spillway-system of the worker holds {origin, epoch}: the installation that may
 * create and delete copies there, and how often its store was restored. It is read at each connection and once a
 * minute, and changed only by compare-and-set.
 *
 *   none                      made, with ours (create: whoever comes second finds it)
 *   another origin            FOREIGN: two gateways on one cluster would delete each other's jobs
 *   ours, our epoch           OURS
 *   ours, an older epoch      raised to ours by an update at the resourceVersion read, then OURS
 *   ours, a newer epoch       NEWER: our store is older than what this cluster has seen. It may not know jobs that run
 *                             there: nothing is created or deleted until the store's epoch is raised past it
 *   unreadable                FOREIGN: nobody's guess is good enough to delete by
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"
#include "workers_priv.h"

#define SET_BACK                                                                                                       \
	"the manager was set back in time: the cluster may run jobs that it has forgotten, so nothing is created or "  \
	"deleted there"

enum { STEPS_MAX = 6 }; /* requests in a row before we rather wait: two gateways may be at it */

enum sw_claim claim_judge(json_t *object, const char *origin, uint64_t epoch, uint64_t *theirs, bool *raise,
			  char why[300])
{
	const char *by = sw_json_str(object, "data.origin"), *text = sw_json_str(object, "data.epoch");
	char *end = NULL;

	*raise = false;
	*theirs = 0;
	why[0] = '\0';
	errno = 0;
	uint64_t n = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	if (!by || !*by || !end || *end || errno) {
		snprintf(why, 300,
			 "configmap %s/%s holds origin \"%.60s\" and epoch \"%.30s\", expected an installation id and "
			 "a number; "
			 "delete it if no gateway uses this cluster",
			 CLAIM_NS, CLAIM_NAME, by ? by : "", text ? text : "");
		return SW_CLAIM_FOREIGN;
	}
	*theirs = n;
	if (strcmp(by, origin) != 0) {
		snprintf(why, 300,
			 "the cluster is claimed by installation %.60s, we are %.60s; stop that gateway and delete "
			 "configmap %s/%s "
			 "to take the cluster over",
			 by, origin, CLAIM_NS, CLAIM_NAME);
		return SW_CLAIM_FOREIGN;
	}
	if (n > epoch) {
		snprintf(why, 300,
			 "our store (epoch %" PRIu64 ") is older than what the cluster has seen (epoch %" PRIu64
			 "): it may run jobs "
			 "that we do not know, so nothing is created or deleted there",
			 epoch, n);
		return SW_CLAIM_NEWER;
	}
	*raise = n < epoch;
	return SW_CLAIM_OURS;
}

static void settle(struct sw_worker *w, enum sw_claim state)
{
	struct claim *c = &w->claim;

	if (state != c->state)
		sw_log(INFO, "workers", "claim", "cluster=%s state=%s why=\"%s\"", w->cfg->name,
		       state == SW_CLAIM_OURS    ? "ours"
		       : state == SW_CLAIM_NEWER ? "newer"
						 : "foreign",
		       c->why);
	if (state == SW_CLAIM_NEWER && c->state != state)
		gc_adopt(w);
	c->state = state;
	link_claimed(w, SW_OK);
}

/* At once, before anything is written: what is decided from now on must see it. */
void claim_outdate(struct sw_worker *w)
{
	struct claim *c = &w->claim;

	if (c->state != SW_CLAIM_OURS)
		return;
	snprintf(c->why, sizeof(c->why), SET_BACK);
	c->state = SW_CLAIM_NEWER;
	gc_adopt(w);
}

static void claim_send(struct sw_worker *w, const char *method, bool to_name, struct sw_buf *body);

static uint64_t epoch_written(const struct sw_worker *w)
{
	return w->ws->opt.epoch + w->ws->set_back;
}

static void body_write(struct sw_worker *w, struct sw_buf *b, const char *rv)
{
	sw_buf_puts(b, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" CLAIM_NAME
		       "\",\"namespace\":\"" CLAIM_NS "\"");
	if (rv) {
		sw_buf_puts(b, ",\"resourceVersion\":");
		sw_buf_json_str(b, rv);
	}
	sw_buf_puts(b, "},\"data\":{\"origin\":");
	sw_buf_json_str(b, w->ws->origin);
	sw_buf_printf(b, ",\"epoch\":\"%" PRIu64 "\"}}", epoch_written(w));
}

static void write_claim(struct sw_worker *w, const char *rv)
{
	struct sw_buf body;
	sw_buf_init(&body, 4096);
	body_write(w, &body, rv);
	claim_send(w, rv ? "PUT" : "POST", rv != NULL, &body);
	sw_buf_fini(&body);
}

static void judge(struct sw_worker *w, json_t *object)
{
	struct claim *c = &w->claim;
	bool raise;
	enum sw_claim state = claim_judge(object, w->ws->origin, epoch_written(w), &c->epoch, &raise, c->why);
	const char *rv = sw_json_str(object, "metadata.resourceVersion");

	if (raise && rv) {
		write_claim(w, rv);
		return;
	}
	if (state == SW_CLAIM_OURS && w->ws->set_back) {
		snprintf(c->why, sizeof(c->why), SET_BACK);
		state = SW_CLAIM_NEWER;
	}
	settle(w, state);
}

static void on_namespace(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_worker *w = owner;

	(void)reply;
	w->link.call = NULL;
	if (sw_failed(err) && err.code != SW_E_EXISTS)
		link_claimed(w, sw_err_wrap(err, "creating namespace %s for the claim", CLAIM_NS));
	else
		write_claim(w, NULL);
}

static void make_namespace(struct sw_worker *w)
{
	static const char body[] =
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"" CLAIM_NS "\"}}";
	struct sw_kube_req req = {.cls = SW_KUBE_FENCE,
				  .method = "POST",
				  .path = "/api/v1/namespaces",
				  .body = body,
				  .body_len = sizeof body - 1};

	struct sw_err e = sw_kube_start(w->kube, &req, on_namespace, w, &w->link.call);
	if (sw_failed(e))
		link_claimed(w, e);
}

/* Any answer to a write: read again, and judge what is there. A lost reply needs no care of its own. */
static void on_written(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_worker *w = owner;

	w->link.call = NULL;
	if (!sw_failed(err) && reply->object && sw_json_at(reply->object, "data.origin"))
		judge(w, reply->object);
	else if ((err.code == SW_E_EXISTS || err.code == SW_E_CONFLICT) && w->claim.steps++ < STEPS_MAX)
		claim_send(w, "GET", true, NULL);
	else if (err.code == SW_E_MISSING && w->claim.steps++ < STEPS_MAX)
		make_namespace(w);
	else
		link_claimed(w,
			     sw_failed(err) ? err : sw_err(SW_E_INVALID, "the claim was answered with something else"));
}

static void on_read(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct sw_worker *w = owner;

	w->link.call = NULL;
	if (err.code == SW_E_MISSING)
		write_claim(w, NULL);
	else if (sw_failed(err))
		link_claimed(w, sw_err_wrap(err, "reading the claim"));
	else
		judge(w, reply->object);
}

static void claim_send(struct sw_worker *w, const char *method, bool to_name, struct sw_buf *body)
{
	struct sw_buf path;
	struct sw_kube_req req = {.cls = SW_KUBE_FENCE, .method = method};

	sw_buf_init(&path, 1024);
	sw_kube_path(&path, "", "v1", "configmaps", CLAIM_NS, to_name ? CLAIM_NAME : NULL, NULL);
	req.path = path.at;
	if (body) {
		req.body = body->at;
		req.body_len = body->len;
	}
	struct sw_err e = sw_kube_start(w->kube, &req, body ? on_written : on_read, w, &w->link.call);
	sw_buf_fini(&path);
	if (sw_failed(e))
		link_claimed(w, e);
}

void claim_step(struct sw_worker *w)
{
	w->claim.steps = 0;
	claim_send(w, "GET", true, NULL);
}
