/* SPDX-License-Identifier: Apache-2.0 */
/* handle_write.c - HTTP's side of a write: body, parameters, answer */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "spillway/protobuf.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

/* ---- the body -------------------------------------------------------------------- */

static bool type_is(const char *type, const char *word)
{
	size_t n = strlen(word);
	return strncasecmp(type, word, n) == 0 && (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

static json_t *status_unreadable(const struct request *q, const char *why)
{
	const struct sw_resource *r = q->route.r;
	return sw_status(SW_REASON_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: %s", r->kind,
			 r->version, r->kind, why);
}

static json_t *body_yaml(struct request *q, json_t **out)
{
	struct sw_yaml *y = NULL;
	json_t *no = NULL;
	struct sw_err e = sw_yaml_parse("body", q->body.at, q->body.len, &y);
	if (sw_failed(e))
		no = status_unreadable(q, e.text);
	else if (sw_yaml_docs(y) != 1)
		no = status_unreadable(q, "expected one YAML document");
	else
		*out = json_object_get(sw_yaml_doc(y, 0));
	sw_yaml_free(y);
	return no;
}

static json_t *body_json(struct request *q, json_t **out)
{
	struct sw_err e = sw_json_parse_dups(q->body.at, q->body.len, out, q->dups, sizeof(q->dups));
	return sw_failed(e) ? status_unreadable(q, e.text) : NULL;
}

static bool is_json(const struct sw_buf *b)
{
	size_t i = 0;
	while (i < b->len && strchr(" \t\r\n", b->at[i]))
		i++;
	return i < b->len && (b->at[i] == '{' || b->at[i] == '[');
}

/* Gives the parsed body in q->parsed. */
static json_t *body_parse(struct request *q, bool patch)
{
	const char *type = request_header(q, "Content-Type");
	json_t **out = &q->parsed;
	if (!type)
		type = "application/json";
	if (q->body.len == 0)
		return status_unreadable(q, "the request has no body");
	if (patch)
		return type_is(type, "application/apply-patch+yaml") && !is_json(&q->body) ? body_yaml(q, out)
											   : body_json(q, out);
	if (sw_protobuf_is(type))
		return sw_protobuf_decode(q->api->schema, q->body.at, q->body.len, out);
	if (type_is(type, "application/yaml"))
		return body_yaml(q, out);
	if (type_is(type, "application/json") || strcmp(type, "*/*") == 0)
		return body_json(q, out);
	return sw_status_media_type(q->route.r);
}

/* ---- parameters ----------------------------------------------------------------------- */

static enum MHD_Result on_query(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	void **pair = cls;
	(void)kind;
	if (!pair[1])
		pair[1] = sw_delete_options_query(key, value ? value : "", pair[0]);
	return MHD_YES;
}

/* Of the query, then of the body. */
json_t *delete_options_parse(struct request *q, struct sw_delete_options *opt)
{
	void *pair[2] = {opt, NULL};
	*opt = (struct sw_delete_options){.grace_s = -1};
	MHD_get_connection_values(q->conn, MHD_GET_ARGUMENT_KIND, on_query, pair);
	json_t *no = pair[1];
	if (!no && q->body.len)
		no = body_parse(q, false);
	return no ? no : sw_delete_options(q->api->schema, q->parsed, opt);
}

static json_t *dry_run_parse(struct request *q, bool *out)
{
	const char *v = request_query(q, "dryRun");
	*out = v && strcmp(v, "All") == 0;
	if (!v || !*v || *out)
		return NULL;
	return sw_status(SW_REASON_INVALID, "dryRun: Unsupported value: \"%.100s\": supported values: \"All\"", v);
}

static const char *manager_of(const struct request *q, char buf[129])
{
	const char *m = request_query(q, "fieldManager"), *agent = request_header(q, "User-Agent");
	if (m && *m)
		return m;
	size_t n = agent ? strcspn(agent, "/ ") : 0;
	snprintf(buf, 129, "%.*s", (int)(n > 128 ? 128 : n), n ? agent : "unknown");
	return buf;
}

/* ---- the answer ---------------------------------------------------------------------------- */

static void reply_shaped(struct request *q, struct write *w)
{
	struct sw_buf b;
	sw_buf_init(&b, SIZE_MAX);
	shape_convert(&q->shape, w->object);
	shape_object(&b, &q->shape, w->object, true);
	reply_buf(q, w->code, "application/json", &b);
}

static void write_reply(struct request *q)
{
	struct write *w = q->write;
	if (w->no) {
		reply_status(q, w->no);
		w->no = NULL;
	} else if (w->answer) {
		reply_json(q, w->code, w->answer);
		w->answer = NULL;
	} else if (w->body) {
		reply_bytes(q, w->code, w->body);
		w->body = NULL;
	} else {
		reply_shaped(q, w);
	}
}

struct http_write {
	struct write w;
	struct request *q;
	char manager[129];
};

static void on_finish(struct write *w)
{
	write_reply(((struct http_write *)(void *)w)->q);
}

/* ---- the verbs -------------------------------------------------------------------------------- */

static json_t *run_patch(struct request *q, struct write *w)
{
	const char *type = request_header(q, "Content-Type");
	enum sw_patch_type t = type ? sw_patch_type_of(type) : SW_PATCH_NONE;
	if (t == SW_PATCH_NONE || (t == SW_PATCH_STRATEGIC && !(w->r->flags & SW_RES_BUILTIN)))
		return sw_status_media_type(w->r);
	if (t == SW_PATCH_APPLY)
		w->manager = request_query(q, "fieldManager"); /* required, so no other will do */
	json_t *no = body_parse(q, true);
	if (!no)
		write_patch(w, t, q->parsed, query_true(request_query(q, "force")));
	return no;
}

static json_t *run_delete(struct request *q, struct write *w)
{
	struct sw_delete_options opt;
	json_t *no = delete_options_parse(q, &opt);
	if (!no)
		write_delete(w, &opt);
	return no;
}

static json_t *run_put(struct request *q, struct write *w)
{
	json_t *no = body_parse(q, false);
	if (no)
		return no;
	if (q->verb == VERB_CREATE) {
		write_create(w, q->parsed);
		return NULL;
	}
	const char *name = sw_json_str(q->parsed, "metadata.name");
	if (name && strcmp(name, w->name) != 0)
		return sw_status(SW_REASON_BAD_REQUEST,
				 "the name of the object (%s) does not match the name on the URL (%s)", name, w->name);
	write_update(w, q->parsed);
	return NULL;
}

static json_t *write_run(struct request *q, struct write *w)
{
	json_t *no = sw_fields_parse(request_query(q, "fieldValidation"), &w->fields);
	if (!no)
		no = dry_run_parse(q, &w->dry_run);
	if (no)
		return no;
	switch (q->verb) {
	case VERB_PATCH:
		return run_patch(q, w);
	case VERB_DELETE:
		return run_delete(q, w);
	default:
		return run_put(q, w);
	}
}

void handle_write(struct request *q)
{
	struct http_write *hw = sw_calloc(1, sizeof(*hw));
	struct write *w = &hw->w;
	hw->q = q;
	q->write = w;
	q->warnings = json_object_new_array();
	bool raw = shape_is_raw(&q->shape);
	*w = (struct write){
		.api = q->api,
		.r = q->route.r,
		.sub = *q->route.sub ? q->route.sub : NULL,
		.ns = q->route.ns,
		.name = q->route.name,
		.user = q->user->name,
		.manager = manager_of(q, hw->manager),
		.dups = q->dups,
		.warnings = q->warnings,
		.want_body = raw,
		.want_object = !raw,
		.finish = on_finish,
	};
	json_t *no = write_run(q, w);
	json_object_put(q->parsed); /* not needed while the commit runs */
	q->parsed = NULL;
	if (no)
		reply_status(q, no);
	else if (!w->pending)
		write_reply(q);
}
