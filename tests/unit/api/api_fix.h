/* SPDX-License-Identifier: Apache-2.0 */
/* api_fix.h - a server in a directory of its own, and requests to it over HTTPS, for the tests of this folder */
#ifndef TESTS_UNIT_API_FIX_H
#define TESTS_UNIT_API_FIX_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/api.h"
#include "spillway/http.h"
#include "spillway/text.h"

struct api_fix {
	char dir[64];
	struct sw_loop *loop;
	struct sw_metrics *metrics;
	struct sw_api *api;
	struct sw_http *http;
	char *ca;
	char admin[65], reader[65], submitter[65];
	struct sw_api_options opt;
};
void api_fix_init(struct api_fix *f, enum sw_serve serve);
void api_fix_init_opt(struct api_fix *f,
		      const struct sw_api_options *opt); /* dir, listen, name and metrics are filled in */
void api_fix_fini(struct api_fix *f);
void api_fix_restart(struct api_fix *f);
void api_fix_barrier(struct api_fix *f); /* everything written before is durable */

struct answer {
	bool done;
	struct sw_err err;
	long status;
	char *body;
	size_t len;
	char type[96];
	char warning[512];
	json_t *json;
};
void answer_fini(struct answer *a);

/* Waits for the answer. headers: "A: b\nC: d" or NULL. token NULL: none. body NULL: none. */
void api_call(struct api_fix *f, struct answer *a, const char *token, const char *method, const char *path,
	      const char *headers, const char *body);
/* The same, and expects a status; gives the parsed body or NULL. */
json_t *api_expect(struct api_fix *f, long status, const char *method, const char *path, const char *headers,
		   const char *body);

/* A watch or a followed log: what came so far is in text. */
struct follower {
	struct sw_call *call;
	struct sw_buf text;
	bool ended;
	struct answer end;
	struct api_fix *f;
	const char *want;
	bool got;
};
void follow(struct api_fix *f, struct follower *w, const char *path, const char *headers);
bool follow_until(struct follower *w, const char *text); /* waits until text has come */
void follow_end(struct follower *w);

#define JOBS "/apis/batch/v1/namespaces/default/jobs"
#define JOB(name, more)                                                                                                \
	"{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"" name "\"" more                       \
	"},\"spec\":{\"template\":{\"spec\":"                                                                          \
	"{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"main\",\"image\":\"busybox\"}]}}}}"

#endif
