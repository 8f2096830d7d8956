/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.c - what an API server answered: status, object, and the error it stands for
 */
#include "kube_priv.h"
#include <string.h>

/* The eviction API answers 429 while a disruption budget forbids it.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ */
static bool is_budget(json_t *status)
{
	json_t *causes = sw_json_at(status, "details.causes");

	for (size_t i = 0; i < sw_json_len(causes); i++) {
		const char *reason = sw_json_str(sw_json_idx(causes, i), "reason");
		if (reason && strcmp(reason, "DisruptionBudget") == 0)
			return true;
	}
	return false;
}

static bool looks_like_object(const char *body, size_t len)
{
	size_t i = 0;

	while (i < len && strchr(" \t\r\n", body[i]))
		i++;
	return i < len && body[i] == '{';
}

/* An answer that is no Status object (a proxy's HTML page, plain text): its first line, as the message. */
static void plain_message(const char *body, size_t len, char out[128])
{
	size_t n = 0;

	while (n < len && n < 127 && (unsigned char)body[n] >= ' ')
		n++;
	memcpy(out, body, n);
	out[n] = '\0';
}

static struct sw_err status_error(const struct sw_kube_call *c, const struct sw_kube_reply *r)
{
	const char *message = sw_json_str(r->object, "message");
	char plain[128] = "";
	struct sw_err e;

	if (!message)
		plain_message(r->body, r->len, plain);
	else if (r->status == 401 && strcmp(message, "Unauthorized") == 0)
		message = "the server does not accept the token or certificate of the kubeconfig";
	e = sw_err_http(r->status, *r->reason ? r->reason : NULL, message ? message : plain);
	return sw_err_wrap(e, "cluster %s: %s %.*s", c->kube->name, c->method, (int)strcspn(c->path, "?"), c->path);
}

void answer_read(struct kube_answer *a, const struct sw_kube_call *c, struct sw_err transport, const struct sw_reply *r)
{
	struct sw_kube_reply *out = &a->reply;
	bool is_ok;

	*a = (struct kube_answer){.err = SW_OK, .reply = {.body = "", .reason = ""}};
	if (sw_failed(transport)) {
		a->err = sw_err_wrap(transport, "cluster %s", c->kube->name);
		return;
	}
	*out = (struct sw_kube_reply){.status = r->status,
				      .body = r->body,
				      .len = r->len,
				      .reason = "",
				      .warning = r->warning,
				      .date_ms = r->date_ms};
	is_ok = r->status >= 200 && r->status < 300;
	if (!(is_ok && c->raw) && looks_like_object(r->body, r->len)) {
		a->err = kube_parse(c->kube, r->body, r->len, &out->object);
		if (sw_failed(a->err) && is_ok) {
			a->err = sw_err_wrap(a->err, "cluster %s: %s %.*s: reply", c->kube->name, c->method,
					     (int)strcspn(c->path, "?"), c->path);
			return;
		}
	}
	a->err = SW_OK;
	if (is_ok)
		return;
	if (sw_json_str(out->object, "reason"))
		out->reason = sw_json_str(out->object, "reason");
	a->is_budget = r->status == 429 && is_budget(out->object);
	a->err = status_error(c, out);
}

void answer_fini(struct kube_answer *a)
{
	json_object_put(a->reply.object);
	a->reply.object = NULL;
}
