/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - logs of pods that are not here: live ones are passed on, tails of finished ones are kept (kept.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "embedded_priv.h"
#include "spillway/text.h"

struct sw_err keep_log_op(struct sw_manager *base, const char *workload, const char *ns, const char *pod,
			  const char *container, const char *bytes, size_t n, bool cut, sw_manager_fn *done,
			  void *owner)
{
	struct emb *m = emb_of(base);
	char name[KEPT_NAME_MAX], key[KEPT_NAME_MAX + 8];
	struct sw_buf note;

	(void)workload; /* it goes with its pod, and that with the job */
	if (snprintf(name, sizeof(name), "%s/%s/%s", ns, pod, container) >= (int)sizeof(name))
		return sw_err(SW_E_INVALID, "log of pod %.100s: its name is too long", pod);
	sw_buf_init(&note, KEPT_TAIL_MAX + 2);
	struct sw_err e = kept_add(&m->kept, name, bytes, n, cut, &note);

	kept_key(name, key);
	if (!sw_failed(e))
		e = emb_note(m, key, note.at, note.len, done, owner);
	sw_buf_fini(&note);
	return e;
}

static void forget_containers(struct emb *m, json_t *pod, const char *path)
{
	const char *ns = sw_json_str(pod, "metadata.namespace"), *name = sw_json_str(pod, "metadata.name");
	json_t *list = sw_json_at(pod, path);

	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *container = sw_json_str(sw_json_idx(list, i), "name");
		char key[KEPT_NAME_MAX];

		snprintf(key, sizeof(key), "%s/%s/%s", ns ? ns : "", name ? name : "", container ? container : "");
		kept_drop(&m->kept, key);
	}
}

void logs_forget_pod(struct emb *m, json_t *pod)
{
	forget_containers(m, pod, "spec.containers");
	forget_containers(m, pod, "spec.initContainers");
}

/* ---- pods/log -------------------------------------------------------------------------------------- */

static struct sw_err kept_serve(const struct sw_log_request *req, const struct sw_bytes *kept, struct sw_log_reply *r)
{
	if (req->since_s >= 0 || req->timestamps)
		return sw_err(
			SW_E_INVALID,
			"the log of finished pod %s was kept without times: since and timestamps cannot be honoured",
			req->pod);
	struct kept_text t = kept_text(kept, req->tail_lines);

	if (req->limit_bytes >= 0 && (size_t)req->limit_bytes < t.n)
		t.n = (size_t)req->limit_bytes;
	if (req->limit_bytes < 0)
		sw_log_reply_bytes(r, t.lost, strlen(t.lost));
	sw_log_reply_bytes(r, t.at, t.n);
	return SW_OK;
}

static struct sw_err kept_answer(struct emb *m, const struct sw_log_request *req, struct sw_log_reply *r)
{
	const char *container = req->container ? req->container : "";
	char name[KEPT_NAME_MAX];
	struct sw_bytes *kept = NULL;

	if (req->previous)
		return sw_err(SW_E_INVALID, "previous terminated container \"%s\" in pod \"%s\" not found", container,
			      req->pod);
	if (snprintf(name, sizeof(name), "%s/%s/%s", req->ns, req->pod, container) >= (int)sizeof(name))
		return sw_err(SW_E_INVALID, "log of pod %.100s: its name is too long", req->pod);
	struct sw_err e = kept_get(&m->kept, name, &kept);

	if (e.code == SW_E_MISSING)
		return sw_err(SW_E_MISSING,
			      "no log of container \"%s\" in pod \"%s\" was kept, and it runs on no cluster now",
			      container, req->pod);
	if (!sw_failed(e) && kept->len)
		e = kept_serve(req, kept, r);
	sw_bytes_unref(kept);
	return e;
}

/* What is kept is answered at once, so a reply that is stopped is the live source's. */
void logs_start(void *owner, const struct sw_log_request *req, struct sw_log_reply *r)
{
	struct emb *m = owner;

	if (m->live.has && m->live.has(m->live.owner, req->ns, req->pod))
		m->live.source.start(m->live.owner, req, r);
	else
		sw_log_reply_end(r, kept_answer(m, req, r));
}

void logs_stop(void *owner, struct sw_log_reply *r)
{
	struct emb *m = owner;

	if (m->live.source.stop)
		m->live.source.stop(m->live.owner, r);
}
