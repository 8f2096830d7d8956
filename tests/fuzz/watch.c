/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - a reflector that is fed a list and then a stream of events, without a server
 *
 * Parts: the list, the watch's lines, a second list (after a relist), more lines. Checked is the promise to its owner:
 * nothing is told twice, nothing that was not there is told to be gone, and its count is ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gateway/kube/reflector_priv.h"
#include "fuzz.h"
#include "spillway/keymap.h"

enum { STEPS_MAX = 4000 };

static const char kubeconfig[] =
	"apiVersion: v1\nkind: Config\ncurrent-context: c\n"
	"clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}]\n"
	"users: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n";

/* What the owner knows: key -> uid and resourceVersion as they were told last. */
struct seen {
	UT_hash_handle hh;
	char *told;
	char key[];
};

static void forget(struct seen **all, struct seen *s)
{
	HASH_DEL(*all, s);
	free(s->told);
	free(s);
}

static void on_object(void *owner, enum sw_obj_event ev, const char *key, json_t *object)
{
	struct seen **all = owner, *s;
	size_t n = strlen(key) + 1;
	char *told;

	HASH_FIND_STR(*all, key, s);
	if (ev == SW_OBJ_GONE) {
		FUZZ_CHECK(s != NULL);
		forget(all, s);
		return;
	}
	if (asprintf(&told, "%s\n%s", sw_json_str(object, "metadata.uid"),
		     sw_json_str(object, "metadata.resourceVersion")) < 0)
		abort();
	FUZZ_CHECK(!s || strcmp(s->told, told));
	if (!s) {
		s = calloc(1, sizeof(*s) + n);
		memcpy(s->key, key, n);
		HASH_ADD_STR(*all, key, s);
	}
	free(s->told);
	s->told = told;
}

static void give_list(struct sw_reflector *r, const char *bytes, size_t len)
{
	sw_kube_cancel(r->call); /* the request for it, which nobody will answer */
	r->call = NULL;
	sw_buf_put(&r->body, bytes, len);
	list_scan_init(&r->scan, r->body.at ? r->body.at : "", r->body.len);
	reflector_goto(r, REFLECTOR_PAGE);
	for (int i = 0; i < STEPS_MAX && r->state == REFLECTOR_PAGE; i++)
		reflector_list_step(r);
	for (int i = 0; i < STEPS_MAX && r->state == REFLECTOR_SWEEP; i++)
		reflector_sweep_step(r);
}

static void give_lines(struct sw_reflector *r, const char *bytes, size_t len)
{
	if (r->state != REFLECTOR_WATCHING)
		return;
	for (size_t at = 0, n; at < len && r->state == REFLECTOR_WATCHING; at += n) {
		n = len - at < 100 ? len - at : 100;
		sw_buf_put(&r->lines, bytes + at, n);
		reflector_watch_step(r);
	}
	r->has_ended = true;
	for (int i = 0; i < STEPS_MAX && r->state == REFLECTOR_WATCHING && r->has_ended; i++)
		reflector_watch_step(r);
}

static struct sw_kube *the_kube(void)
{
	static struct sw_kube *k; /* one for all runs: nothing is ever sent, the loop does not turn */
	static struct sw_loop *loop;
	static struct sw_http *http;
	struct sw_kubeconfig *kc;

	if (k)
		return k;
	FUZZ_CHECK(!sw_failed(sw_loop_new(&loop)) && !sw_failed(sw_http_new(loop, &http)));
	FUZZ_CHECK(!sw_failed(sw_kubeconfig_parse("k", kubeconfig, sizeof(kubeconfig) - 1, NULL, &kc)));
	FUZZ_CHECK(!sw_failed(sw_kube_new(loop, http, kc, &(struct sw_kube_options){.name = "w"}, &k)));
	return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct seen *all = NULL, *s, *next;
	struct sw_reflector_cfg cfg = {.path = "/api/v1/pods", .on_object = on_object, .owner = &all};
	struct sw_reflector *r;

	FUZZ_CHECK(!sw_failed(sw_reflector_new(the_kube(), &cfg, &r)));
	for (int i = 0; i + 1 < FUZZ_PARTS; i += 2) {
		give_list(r, p.at[i], p.len[i]);
		give_lines(r, p.at[i + 1], p.len[i + 1]);
		FUZZ_CHECK(sw_reflector_len(r) == HASH_COUNT(all));
		if (i == 0) {
			sw_kube_cancel(r->call);
			r->call = NULL;
			reflector_list(r); /* as after a 410 */
		}
	}
	sw_reflector_free(r);
	HASH_ITER(hh, all, s, next)
	forget(&all, s);
	fuzz_parts_free(&p);
	return 0;
}
