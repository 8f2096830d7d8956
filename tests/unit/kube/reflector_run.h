/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector_run.h - one reflector of a scripted server, and what its owner is told
 *
 * That is kept as a text, one word an event: "+ns/a@3" put with resourceVersion 3, "-ns/a@5" gone with its last
 * state, "-ns/a" gone after a relist, "S" synced, "L" lost, "B" set back. Tests compare that text.
 */
#ifndef TESTS_REFLECTOR_RUN_H
#define TESTS_REFLECTOR_RUN_H

#include <unistd.h>
#include "kube_fixture.h"

struct run {
	struct fixture x;
	struct sw_reflector *r;
	struct sw_buf log;
	int puts, states;
	uint64_t since;
	char why[400], kind[64];
	bool is_synced;
	int free_on_put, free_kube_on_put, rekey_on_put; /* 1: at the first put */
};

static inline void on_object(void *owner, enum sw_obj_event ev, const char *key, json_t *object)
{
	struct run *r = owner;
	const char *rv = sw_json_str(object, "metadata.resourceVersion");

	sw_buf_printf(&r->log, "%c%s%s%s ", ev == SW_OBJ_PUT ? '+' : '-', key, rv ? "@" : "", rv ? rv : "");
	r->puts += ev == SW_OBJ_PUT;
	snprintf(r->kind, sizeof r->kind, "%s/%s", sw_json_str(object, "apiVersion"), sw_json_str(object, "kind"));
	if (ev != SW_OBJ_PUT)
		return;
	if (r->free_on_put && --r->free_on_put == 0) {
		sw_reflector_free(r->r);
		r->r = NULL;
	}
	if (r->free_kube_on_put && --r->free_kube_on_put == 0) {
		sw_kube_free(r->x.kube);
		r->x.kube = NULL;
	}
	if (r->rekey_on_put && --r->rekey_on_put == 0)
		sw_kube_rekey(r->x.kube, fixture_kubeconfig(&r->x, "token: new"));
}

static inline void on_state(void *owner, bool synced, uint64_t since_ms, const char *why)
{
	struct run *r = owner;

	sw_buf_puts(&r->log, synced ? "S " : "L ");
	r->states++;
	r->is_synced = synced;
	r->since = since_ms;
	snprintf(r->why, sizeof r->why, "%s", why);
}

static inline void on_set_back(void *owner)
{
	struct run *r = owner;

	sw_buf_puts(&r->log, "B ");
}

static inline struct run *begin_full(struct sw_reflector_cfg cfg, uint64_t heartbeat_ms)
{
	struct run *r = sw_calloc(1, sizeof *r);
	struct sw_err e;

	r->x.heartbeat_ms = heartbeat_ms;
	r->x.on_set_back = on_set_back;
	r->x.owner = r;
	fixture_begin(&r->x, "token: t", 0);
	sw_buf_init(&r->log, 1 << 20);
	cfg.on_object = on_object;
	cfg.on_state = on_state;
	cfg.owner = r;
	if (!cfg.path)
		cfg.path = "/apis/batch/v1/jobs";
	e = sw_reflector_new(r->x.kube, &cfg, &r->r);
	cr_assert_not(sw_failed(e), "%s", e.text);
	return r;
}

static inline struct run *begin_with(struct sw_reflector_cfg cfg)
{
	return begin_full(cfg, 0);
}

static inline struct run *begin(void)
{
	return begin_with((struct sw_reflector_cfg){.path = NULL});
}

static inline void end(struct run *r)
{
	sw_reflector_free(r->r);
	fixture_end(&r->x);
	sw_buf_fini(&r->log);
	free(r);
}

static inline const char *told(struct run *r)
{
	return r->log.len ? r->log.at : "";
}

/* Waits until the log is as expected. */
static inline bool tells(struct run *r, const char *expect)
{
	for (int i = 0; i < 1000 && strcmp(told(r), expect) != 0; i++)
		turns(&r->x, 2);
	return strcmp(told(r), expect) == 0;
}

#define TELLS(r, expect) cr_assert(tells(r, expect), "told:     %s\nexpected: %s\nwhy: %s", told(r), expect, (r)->why)

/* Waits for a request, moving the clock over backoffs. */
static inline bool asked(struct run *r, size_t n)
{
	for (int i = 0; i < 1500 && fake_count(r->x.f) < n; i++) {
		turns(&r->x, 2);
		sw_loop_advance(r->x.loop, 50);
	}
	return fake_count(r->x.f) >= n;
}

static inline const char *line(struct run *r, size_t i)
{
	return fake_seen(r->x.f, i)->line;
}

#define META(name, uid, rv)                                                                                            \
	"{\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\"}" \
	"}"
#define OBJ(name, rv) META(name, "u-" name, rv)
#define LIST(rv, items)                                                                                                \
	"{\"kind\":\"JobList\",\"apiVersion\":\"batch/v1\",\"metadata\":{\"resourceVersion\":\"" rv                    \
	"\"},\"items\":[" items "]}"
#define PAGE(rv, cont, items)                                                                                          \
	"{\"kind\":\"JobList\",\"apiVersion\":\"batch/v1\",\"metadata\":{\"resourceVersion\":\"" rv                    \
	"\",\"continue\":\"" cont "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define MARK(rv)            EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" rv "\"}}")
#define EXPIRED             EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}")

#define ON_LIST "GET /apis/batch/v1/jobs?limit=500 "
#define ON_WATCH(rv)                                                                                                   \
	"GET /apis/batch/v1/jobs?watch=true&allowWatchBookmarks=true&resourceVersion=" rv "&timeoutSeconds="

static inline struct fake_step *list(struct run *r, const char *body)
{
	return fake_reply(r->x.f, ON_LIST, 200, "", body);
}

#endif
