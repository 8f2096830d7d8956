/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - pods/log: parameters, the pod's containers, and the stream that the log source fills */
#include "api_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

struct sw_log_reply {
	struct request *q;
	struct stream *stream;
	void (*stop)(void *owner, struct sw_log_reply *r); /* NULL: nobody wants to know */
	void *owner;
	bool ended;
};

void sw_log_reply_bytes(struct sw_log_reply *r, const char *bytes, size_t n)
{
	if (r->ended || n == 0)
		return;
	if (!r->stream)
		r->stream = reply_stream(r->q, "text/plain");
	if (r->stream->broken)
		return;
	sw_buf_put(&r->stream->out, bytes, n);
	if (stream_pending(r->stream) > API_BEHIND_MAX)
		stream_break(r->stream); /* the reader is slower than the log */
	else
		stream_moved(r->stream);
}

void sw_log_reply_end(struct sw_log_reply *r, struct sw_err err)
{
	if (r->ended)
		return;
	r->ended = true;
	if (r->stream)
		stream_end(r->stream);
	else if (sw_failed(err))
		reply_status(r->q, sw_status_of(err, r->q->route.r, r->q->route.name));
	else
		reply_text(r->q, 200, "text/plain", "", 0);
}

static void log_free(void *op)
{
	struct sw_log_reply *r = op;
	if (!r->ended && r->stop)
		r->stop(r->owner, r);
	free(r);
}

/* ---- which container --------------------------------------------------------------- */

static void names_list(struct sw_buf *b, json_t *containers)
{
	for (size_t i = 0; i < sw_json_len(containers); i++) {
		const char *name = sw_json_str(sw_json_idx(containers, i), "name");
		sw_buf_printf(b, "%s%s", b->len ? " " : "", name ? name : "");
	}
}

static bool has_container(json_t *containers, const char *name)
{
	for (size_t i = 0; i < sw_json_len(containers); i++) {
		const char *n = sw_json_str(sw_json_idx(containers, i), "name");
		if (n && strcmp(n, name) == 0)
			return true;
	}
	return false;
}

static json_t *container_check(struct request *q, json_t *pod, const char **container)
{
	json_t *all = sw_json_at(pod, "spec.containers"), *init = sw_json_at(pod, "spec.initContainers");
	const char *asked = request_query(q, "container");
	struct sw_buf names;
	if (asked && *asked) {
		*container = asked;
		if (has_container(all, asked) || has_container(init, asked))
			return NULL;
		return sw_status(SW_REASON_BAD_REQUEST, "container %s is not valid for pod %s", asked, q->route.name);
	}
	const char *usual = sw_json_annotation(pod, "kubectl.kubernetes.io/default-container");
	const char *first = sw_json_str(sw_json_idx(all, 0), "name");
	*container = usual && has_container(all, usual) ? usual : first;
	if (sw_json_len(all) <= 1 || *container == usual)
		return NULL;
	sw_buf_init(&names, 4096);
	names_list(&names, all);
	json_t *no =
		sw_status(SW_REASON_BAD_REQUEST, "a container name must be specified for pod %s, choose one of: [%s]",
			  q->route.name, sw_buf_ok(&names) ? names.at : "...");
	sw_buf_fini(&names);
	return no;
}

/* ---- parameters ------------------------------------------------------------------------ */

static json_t *count_parse(struct request *q, const char *key, int64_t *out)
{
	const char *text = request_query(q, key);
	char *end = NULL;
	*out = -1;
	if (!text || !*text)
		return NULL;
	errno = 0;
	*out = strtoll(text, &end, 10);
	if (*end || errno || *out < 0)
		return sw_status(SW_REASON_INVALID, "%s: Invalid value: \"%.100s\": must be a number, 0 or more", key,
				 text);
	return NULL;
}

static json_t *params_parse(struct request *q, struct sw_log_request *req)
{
	req->ns = q->route.ns;
	req->pod = q->route.name;
	req->follow = query_true(request_query(q, "follow"));
	req->timestamps = query_true(request_query(q, "timestamps"));
	req->previous = query_true(request_query(q, "previous"));
	json_t *no = count_parse(q, "tailLines", &req->tail_lines);
	if (!no)
		no = count_parse(q, "sinceSeconds", &req->since_s);
	return no ? no : count_parse(q, "limitBytes", &req->limit_bytes);
}

static json_t *pod_read(struct request *q, json_t **pod)
{
	struct sw_obj_key key = {q->route.r->id, q->route.ns, q->route.name};
	struct sw_bytes *bytes = NULL;
	struct sw_err e = sw_store_get(q->api->store, &key, &bytes, NULL);
	if (!sw_failed(e))
		e = sw_json_parse(bytes->at, bytes->len, pod);
	sw_bytes_unref(bytes);
	if (e.code == SW_E_MISSING)
		return sw_status_not_found(q->route.r, q->route.name);
	return sw_failed(e) ? sw_status_of(e, q->route.r, q->route.name) : NULL;
}

struct sw_log_reply *log_reply_new(struct request *q, void (*stop)(void *owner, struct sw_log_reply *r), void *owner)
{
	struct sw_log_reply *r = sw_calloc(1, sizeof(*r));
	r->q = q;
	r->stop = stop;
	r->owner = owner;
	q->op = r;
	q->op_free = log_free;
	return r;
}

static void log_begin(struct request *q, const struct sw_log_request *req)
{
	const struct sw_api_options *opt = &q->api->opt;
	if (!opt->logs || !req->container) {
		reply_text(q, 200, "text/plain", "", 0);
		return;
	}
	opt->logs->start(opt->owner, req, log_reply_new(q, opt->logs->stop, opt->owner));
}

void handle_log(struct request *q)
{
	struct sw_log_request req = {.ns = NULL};
	json_t *pod = NULL, *no = pod_read(q, &pod);
	if (!no)
		no = params_parse(q, &req);
	if (!no)
		no = container_check(q, pod, &req.container);
	if (no)
		reply_status(q, no);
	else
		log_begin(q, &req);
	json_object_put(pod);
}
