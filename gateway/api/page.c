/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.c - /spillway/v1/: the views of whoever owns the server, and its users
 *
 *   GET    /spillway/v1/NAME           a view (api.h), for any user
 *   POST   /spillway/v1/NAME           for admins; for any user where it only asks; for anybody where it is a hook
 *   GET    /spillway/v1/users          names and roles; these three for admins
 *   POST   /spillway/v1/users          {"name","role","namespaces"} -> its kubeconfig, the only time the token is shown
 *   DELETE /spillway/v1/users?name=N   its token is refused from now on
 */
#include "api_priv.h"

#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"

/* ---- views ---------------------------------------------------------------------------- */

static enum MHD_Result add_query(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	(void)kind;
	json_object_object_add(cls, key, value ? json_object_new_string(value) : NULL);
	return MHD_YES;
}

/* The client's words, and after them what it may see, so that nobody widens that. gives. */
static json_t *view_query(struct request *q)
{
	json_t *query = json_object_new_object();
	MHD_get_connection_values(q->conn, MHD_GET_ARGUMENT_KIND, add_query, query);
	sw_json_set(query, "namespaces",
		    json_object_new_string(q->user->role == SW_ROLE_SUBMITTER ? q->user->namespaces : "*"));
	return query;
}

static void reply_answer(struct request *q, struct sw_err e, json_t *out)
{
	if (sw_failed(e))
		reply_status(q, sw_status_of(e, NULL, NULL));
	else
		reply_json(q, 200, out);
}

static void reply_view(struct request *q, const struct sw_api_view *view)
{
	json_t *query = view_query(q), *out = NULL;
	struct sw_err e = view->get(q->api->opt.views_owner, query, &out);
	json_object_put(query);
	reply_answer(q, e, out);
}

static void reply_text_stream(struct request *q, const struct sw_api_view *view)
{
	json_t *query = view_query(q);
	void *owner = q->api->opt.views_owner;
	view->stream(owner, query, log_reply_new(q, view->stream_stop, owner));
	json_object_put(query);
}

static void reply_post(struct request *q, const struct sw_api_view *view)
{
	json_t *body = NULL, *out = NULL, *query = view_query(q);
	struct sw_err e = sw_json_parse(q->body.at ? q->body.at : "", q->body.len, &body);
	if (!sw_failed(e) && !json_object_is_type(body, json_type_object))
		e = sw_err(SW_E_INVALID, "body: expected a JSON object");
	if (!sw_failed(e))
		e = view->ask ? view->ask(q->api->opt.views_owner, query, body, &out)
			      : view->post(q->api->opt.views_owner, body, &out);
	json_object_put(query);
	json_object_put(body);
	reply_answer(q, e, out);
}

static const struct sw_api_view *view_find(const struct sw_api *a, const char *name)
{
	for (size_t i = 0; i < a->opt.n_views; i++)
		if (strcmp(a->opt.views[i].name, name) == 0)
			return &a->opt.views[i];
	return NULL;
}

/* The client may go away before the answer is there. */
struct sw_page_reply {
	struct request *q;
};

static void later_orphan(void *op)
{
	((struct sw_page_reply *)op)->q = NULL;
}

void sw_page_reply(struct sw_page_reply *r, struct sw_err err, json_t *out)
{
	if (r->q) {
		r->q->op = NULL;
		reply_answer(r->q, err, sw_failed(err) ? NULL : json_object_get(out));
	}
	free(r);
}

static void reply_later(struct request *q, const struct sw_api_view *view)
{
	json_t *body = NULL;
	struct sw_err e = sw_json_parse(q->body.at ? q->body.at : "", q->body.len, &body);
	struct sw_page_reply *r = sw_calloc(1, sizeof(*r));
	r->q = q;
	q->op = r;
	q->op_free = later_orphan;
	if (sw_failed(e))
		sw_page_reply(r, e, NULL);
	else
		view->later(q->api->opt.views_owner, body, r);
	json_object_put(body);
}

bool page_is_hook(const struct request *q)
{
	const struct sw_api_view *view = view_find(q->api, q->route.name);
	return view && view->hook && strcmp(q->method, "POST") == 0;
}

static void reply_hook(struct request *q, const struct sw_api_view *view)
{
	json_t *body = NULL, *out = NULL;
	struct sw_err e = sw_json_parse(q->body.at ? q->body.at : "", q->body.len, &body);
	if (!sw_failed(e))
		e = view->hook(q->api->opt.views_owner, body, &out);
	json_object_put(body);
	reply_answer(q, e, out);
}

/* Refuses everybody else. */
static bool is_admin(struct request *q)
{
	if (q->user->role == SW_ROLE_ADMIN)
		return true;
	reply_status(q, sw_status(SW_REASON_FORBIDDEN, "%s is forbidden: User \"%s\" is not an admin", q->path,
				  q->user->name));
	return false;
}

/* ---- users ------------------------------------------------------------------------------ */

/* A change of users waits for its commit; the client may go away meanwhile. */
struct user_change {
	struct request *q;
	json_t *answer;
};

static void change_orphan(void *op)
{
	((struct user_change *)op)->q = NULL;
}

static void on_changed(void *owner, struct sw_err err, uint64_t rv)
{
	struct user_change *c = owner;
	(void)rv;
	if (c->q) {
		c->q->op = NULL;
		if (sw_failed(err))
			reply_status(c->q, sw_status_of(err, NULL, NULL));
		else
			reply_json(c->q, 200, json_object_get(c->answer));
	}
	json_object_put(c->answer);
	free(c);
}

static struct user_change *change_begin(struct request *q, json_t *answer_taken)
{
	struct user_change *c = sw_calloc(1, sizeof(*c));
	c->q = q;
	c->answer = answer_taken;
	q->op = c;
	q->op_free = change_orphan;
	return c;
}

static void change_failed(struct user_change *c, struct sw_err e)
{
	struct request *q = c->q;
	q->op = NULL;
	json_object_put(c->answer);
	free(c);
	reply_status(q, sw_status_of(e, NULL, NULL));
}

static void users_create(struct request *q)
{
	json_t *body = NULL;
	char token[65];
	int role = -1;
	struct sw_err e = sw_json_parse(q->body.at ? q->body.at : "", q->body.len, &body);
	const char *name = sw_json_str(body, "name"), *word = sw_json_str(body, "role"),
		   *namespaces = sw_json_str(body, "namespaces");
	if (!sw_failed(e) && (!name || !word || (role = user_role(word)) < 0))
		e = sw_err(SW_E_INVALID, "found %.100s, expected name and role (admin, submitter or reader)",
			   json_object_to_json_string(body));
	if (sw_failed(e)) {
		reply_status(q, sw_status_of(e, NULL, NULL));
		json_object_put(body);
		return;
	}
	struct user_change *c = change_begin(q, json_object_new_object());
	e = users_add(q->api, name, (enum sw_role)role, namespaces, token, on_changed, c);
	if (sw_failed(e)) {
		change_failed(c, e);
	} else {
		struct sw_buf text;
		sw_buf_init(&text, 256 << 10);
		kubeconfig_text(q->api, q->api->public_url, name, token, namespaces, &text);
		sw_json_set_str(c->answer, "name", name);
		sw_json_set_str(c->answer, "kubeconfig", text.at);
		sw_buf_fini(&text);
	}
	json_object_put(body);
}

static void users_remove(struct request *q)
{
	const char *name = request_query(q, "name");
	struct user_change *c = change_begin(q, json_object_new_object());
	struct sw_err e = name ? users_drop(q->api, name, on_changed, c) : sw_err(SW_E_INVALID, "expected ?name=USER");
	if (sw_failed(e))
		change_failed(c, e);
}

static void users_list(struct request *q)
{
	json_t *o = json_object_new_object(), *items = json_object_new_array();
	struct user *u, *next;
	HASH_ITER(hh, q->api->users, u, next)
	{
		json_t *row = json_object_new_object();
		sw_json_set_str(row, "name", u->name);
		sw_json_set_str(row, "role", user_role_word(u->role));
		sw_json_set_str(row, "namespaces", u->role == SW_ROLE_SUBMITTER ? u->namespaces : "*");
		json_object_array_add(items, row);
	}
	json_object_object_add(o, "items", items);
	reply_json(q, 200, o);
}

static void handle_users(struct request *q)
{
	if (!is_admin(q))
		return;
	if (strcmp(q->method, "POST") == 0)
		users_create(q);
	else if (strcmp(q->method, "DELETE") == 0)
		users_remove(q);
	else
		users_list(q);
}

static bool is_get(const struct request *q)
{
	return strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;
}

static void reply_read(struct request *q, const struct sw_api_view *view)
{
	if (view->stream)
		reply_text_stream(q, view);
	else
		reply_view(q, view);
}

static bool takes_post(const struct request *q, const struct sw_api_view *view)
{
	return strcmp(q->method, "POST") == 0 && (view->post || view->ask || view->later);
}

void handle_page(struct request *q)
{
	const struct sw_api_view *view = view_find(q->api, q->route.name);
	struct sw_err elsewhere = q->api->opt.elsewhere ? q->api->opt.elsewhere(q->api->opt.owner) : SW_OK;
	if (strcmp(q->route.name, "users") == 0)
		handle_users(q);
	else if (!view)
		reply_status(q, sw_status_no_resource());
	else if (page_is_hook(q))
		reply_hook(q, view);
	else if (sw_failed(elsewhere))
		reply_status(q, sw_status_of(elsewhere, NULL, NULL));
	else if (is_get(q) && (view->stream || view->get))
		reply_read(q, view);
	else if (!takes_post(q, view))
		reply_status(q, sw_status(SW_REASON_NO_METHOD, "%s does not take %s", q->path, q->method));
	else if (!view->ask && !is_admin(q))
		return;
	else if (view->later)
		reply_later(q, view);
	else
		reply_post(q, view);
}
