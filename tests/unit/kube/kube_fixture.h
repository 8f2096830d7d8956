/* SPDX-License-Identifier: Apache-2.0 */
/* kube_fixture.h - a loop, a scripted server, and a kube client of it */
#ifndef TESTS_KUBE_FIXTURE_H
#define TESTS_KUBE_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../support/fakehttp.h"
#include "spillway/kube.h"
#include "spillway/log.h"
#include "spillway/text.h"

struct fixture {
	struct sw_loop *loop;
	struct fake_http *f;
	struct sw_http *http;
	struct sw_metrics *metrics;
	struct sw_kube *kube;
	uint64_t heartbeat_ms;
	void (*on_set_back)(void *owner);
	void *owner;
};

static inline struct sw_kubeconfig *fixture_kubeconfig(struct fixture *x, const char *user)
{
	char *text =
		sw_asprintf("kind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
			    "clusters: [{name: c, cluster: {server: '%s'}}]\nusers: [{name: u, user: {%s}}]\n",
			    fake_url(x->f), user);
	char path[] = "/tmp/sw-kube-XXXXXX";
	int fd = mkstemp(path);
	struct sw_kubeconfig *kc;
	struct sw_err e;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	e = sw_kubeconfig_load(path, NULL, &kc);
	cr_assert_not(sw_failed(e), "%s", e.text);
	unlink(path);
	free(text);
	return kc;
}

/* The clock is the test's: sw_loop_advance(). */
static inline void fixture_begin(struct fixture *x, const char *user, unsigned window)
{
	struct sw_err e;

	sw_log_setup(SW_LOG_OFF, false, 2);
	cr_assert_not(sw_failed(sw_loop_new(&x->loop)));
	sw_loop_fake(x->loop, 1000000, 1700000000000);
	cr_assert_not(sw_failed(sw_http_new(x->loop, &x->http)));
	cr_assert_not(sw_failed(sw_metrics_new(&x->metrics)));
	x->f = fake_http_new(x->loop, NULL);
	e = sw_kube_new(x->loop, x->http, fixture_kubeconfig(x, user),
			&(struct sw_kube_options){.name = "east",
						  .window = window,
						  .heartbeat_ms = x->heartbeat_ms,
						  .on_set_back = x->on_set_back,
						  .owner = x->owner,
						  .metrics = x->metrics},
			&x->kube);
	cr_assert_not(sw_failed(e), "%s", e.text);
}

/* In the body of each test. sw_loop_free() aborts if a handle or a timer is left. */
static inline void fixture_end(struct fixture *x)
{
	cr_assert_eq(fake_surprises(x->f), 0, "not expected: %s", fake_surprise(x->f));
	sw_kube_free(x->kube);
	sw_http_free(x->http);
	fake_http_free(x->f);
	sw_metrics_free(x->metrics);
	sw_loop_free(x->loop);
}

/* Real milliseconds of turns, for what must not happen. */
static inline void turns(struct fixture *x, unsigned ms)
{
	bool never = false;

	sw_loop_until(x->loop, &never, ms);
}

#endif
