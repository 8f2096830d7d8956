/* SPDX-License-Identifier: Apache-2.0 */
/* api_fix.c - see api_fix.h */
#include "api_fix.h"

#include <ftw.h>
#include <stdio.h>

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void on_barrier(void *owner, struct sw_err err, uint64_t rv)
{
	(void)rv;
	cr_assert(!sw_failed(err), "%s", err.text);
	*(bool *)owner = true;
}

void api_fix_barrier(struct api_fix *f)
{
	bool done = false;
	cr_assert(!sw_failed(sw_store_note_put(sw_api_store(f->api), "test/barrier", "", 0, on_barrier, &done)));
	cr_assert(sw_loop_until(f->loop, &done, 5000));
}

static void fix_open(struct api_fix *f)
{
	struct sw_err e = sw_loop_new(&f->loop);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(!sw_failed(sw_metrics_new(&f->metrics)));
	f->opt.metrics = f->metrics;
	e = sw_api_new(f->loop, &f->opt, &f->api);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(!sw_failed(sw_http_new(f->loop, &f->http)));
	char path[128];
	size_t len;
	snprintf(path, sizeof(path), "%s/ca.crt", f->dir);
	cr_assert(!sw_failed(sw_file_read(path, 1 << 16, &f->ca, &len)));
	api_fix_barrier(f); /* the first namespaces */
}

static void fix_close(struct api_fix *f)
{
	sw_http_free(f->http);
	sw_api_free(f->api);
	sw_metrics_free(f->metrics);
	sw_loop_free(f->loop);
	free(f->ca);
}

void api_fix_init_opt(struct api_fix *f, const struct sw_api_options *opt)
{
	*f = (struct api_fix){.opt = *opt};
	strcpy(f->dir, "/tmp/spillway-api-XXXXXX");
	cr_assert(mkdtemp(f->dir) != NULL);
	f->opt.dir = f->dir;
	f->opt.name = "test";
	f->opt.listen = "127.0.0.1:0";
	fix_open(f);
	cr_assert(!sw_failed(sw_api_user_add(f->api, "root", SW_ROLE_ADMIN, NULL, f->admin)));
	cr_assert(!sw_failed(sw_api_user_add(f->api, "rita", SW_ROLE_READER, NULL, f->reader)));
	cr_assert(!sw_failed(sw_api_user_add(f->api, "sam", SW_ROLE_SUBMITTER, "team,default", f->submitter)));
}

void api_fix_init(struct api_fix *f, enum sw_serve serve)
{
	struct sw_api_options opt = {.serve = serve};
	api_fix_init_opt(f, &opt);
}

void api_fix_restart(struct api_fix *f)
{
	fix_close(f);
	fix_open(f);
}

void api_fix_fini(struct api_fix *f)
{
	fix_close(f);
	nftw(f->dir, rm_one, 8, FTW_DEPTH | FTW_PHYS);
}

void answer_fini(struct answer *a)
{
	free(a->body);
	json_object_put(a->json);
	*a = (struct answer){.done = false};
}

static void on_done(void *owner, struct sw_err err, const struct sw_reply *r)
{
	struct answer *a = owner;
	a->done = true;
	a->err = err;
	if (!r)
		return;
	a->status = r->status;
	a->body = malloc(r->len + 1);
	memcpy(a->body, r->body ? r->body : "", r->len);
	a->body[r->len] = '\0';
	a->len = r->len;
	snprintf(a->type, sizeof(a->type), "%s", r->content_type);
	snprintf(a->warning, sizeof(a->warning), "%s", r->warning ? r->warning : "");
	if (sw_failed(sw_json_parse(a->body, a->len, &a->json)))
		a->json = NULL;
}

struct wire {
	char url[1024], auth[100], text[1024];
	const char *headers[10];
	struct sw_tls tls;
};

static void wire_make(struct api_fix *f, struct wire *w, const char *token, const char *path, const char *headers)
{
	size_t n = 0;
	*w = (struct wire){.tls = {.ca_pem = f->ca}};
	snprintf(w->url, sizeof(w->url), "%s%s", sw_api_url(f->api), path);
	if (token) {
		snprintf(w->auth, sizeof(w->auth), "Authorization: Bearer %s", token);
		w->headers[n++] = w->auth;
	}
	snprintf(w->text, sizeof(w->text), "%s", headers ? headers : "");
	for (char *save = NULL, *h = strtok_r(w->text, "\n", &save); h; h = strtok_r(NULL, "\n", &save))
		w->headers[n++] = h;
}

void api_call(struct api_fix *f, struct answer *a, const char *token, const char *method, const char *path,
	      const char *headers, const char *body)
{
	struct wire w;
	struct sw_call *call = NULL;
	*a = (struct answer){.done = false};
	wire_make(f, &w, token, path, headers);
	struct sw_request req = {.method = method,
				 .url = w.url,
				 .body = body,
				 .body_len = body ? strlen(body) : 0,
				 .headers = w.headers,
				 .tls = &w.tls,
				 .max_reply = 64 << 20,
				 .timeout_ms = 20000};
	struct sw_err e = sw_http_start(f->http, &req, on_done, a, &call);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(sw_loop_until(f->loop, &a->done, 20000), "no answer to %s %s", method, path);
}

json_t *api_expect(struct api_fix *f, long status, const char *method, const char *path, const char *headers,
		   const char *body)
{
	struct answer a;
	api_call(f, &a, f->admin, method, path, headers, body);
	cr_assert(!sw_failed(a.err), "%s %s: %s", method, path, a.err.text);
	cr_assert_eq(a.status, status, "%s %s: found %ld, expected %ld: %s", method, path, a.status, status, a.body);
	json_t *o = a.json ? json_object_get(a.json) : NULL;
	answer_fini(&a);
	return o;
}

/* ---- followers -------------------------------------------------------------------- */

static void on_chunk(void *owner, const char *bytes, size_t n)
{
	struct follower *w = owner;
	sw_buf_put(&w->text, bytes, n);
	if (w->want && strstr(w->text.at, w->want))
		w->got = true;
}

static void on_end(void *owner, struct sw_err err, const struct sw_reply *r)
{
	struct follower *w = owner;
	w->call = NULL;
	w->ended = w->got = true;
	on_done(&w->end, err, r);
}

void follow(struct api_fix *f, struct follower *w, const char *path, const char *headers)
{
	struct wire wire;
	*w = (struct follower){.f = f};
	sw_buf_init(&w->text, 64 << 20);
	wire_make(f, &wire, f->admin, path, headers);
	struct sw_request req = {.method = "GET",
				 .url = wire.url,
				 .headers = wire.headers,
				 .tls = &wire.tls,
				 .max_reply = 1 << 20,
				 .on_chunk = on_chunk,
				 .own_connection = true};
	struct sw_err e = sw_http_start(f->http, &req, on_end, w, &w->call);
	cr_assert(!sw_failed(e), "%s", e.text);
}

bool follow_until(struct follower *w, const char *text)
{
	w->want = text;
	w->got = w->ended || (w->text.at && strstr(w->text.at, text));
	sw_loop_until(w->f->loop, &w->got, 10000);
	w->want = NULL;
	return w->text.at && strstr(w->text.at, text);
}

void follow_end(struct follower *w)
{
	sw_http_cancel(w->call);
	sw_buf_fini(&w->text);
	answer_fini(&w->end);
}
