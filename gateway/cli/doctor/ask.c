/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c - gathers the facts: every cluster at once, every question at once
 *
 * First /version, so that a cluster out of reach costs one time limit and not a hundred; what that cluster serves; then
 * the rows of the table, a list of each job kind that is served, and one access review per right.
 */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "spillway/text.h"

enum { ASK_MS = 15 * 1000, LIST_MAX = 64 << 20, JOBS = 250 };

#define KUEUE_API       "/apis/kueue.x-k8s.io/v1beta2"
#define ADMISSION_API   "/apis/admissionregistration.k8s.io/v1"
#define KUEUE_NAMESPACE "/namespaces/kueue-system"

static const struct question {
	unsigned scope;
	const char *id, *path;
} questions[] = {
	{DOCTOR_MANAGER, "list admissionchecks", KUEUE_API "/admissionchecks"},
	{DOCTOR_MANAGER | DOCTOR_KUEUE | DOCTOR_SEEN, "list clusterqueues", KUEUE_API "/clusterqueues"},
	{DOCTOR_MANAGER | DOCTOR_KUEUE | DOCTOR_SEEN, "list localqueues", KUEUE_API "/localqueues"},
	{DOCTOR_MANAGER, "list multikueueclusters", KUEUE_API "/multikueueclusters"},
	{DOCTOR_MIRROR, "list resourceflavors", KUEUE_API "/resourceflavors"},
	{DOCTOR_NOMINATE, "list multikueueconfigs", KUEUE_API "/multikueueconfigs"},
	{DOCTOR_MANAGER, "list policies", ADMISSION_API "/mutatingadmissionpolicies"},
	{DOCTOR_MANAGER, "list bindings", ADMISSION_API "/mutatingadmissionpolicybindings"},
	{DOCTOR_MANAGER, "list webhooks", ADMISSION_API "/mutatingwebhookconfigurations"},
	{DOCTOR_MANAGER, "kueue's deployment", "/apis/apps/v1" KUEUE_NAMESPACE "/deployments/kueue-controller-manager"},
	{DOCTOR_MANAGER, "kueue's configuration", "/api/v1" KUEUE_NAMESPACE "/configmaps/kueue-manager-config"},
	{DOCTOR_OURS, "claim", "/api/v1/namespaces/spillway-system/configmaps/spillway-claim"},
	{DOCTOR_WORKER, "list nodes", "/api/v1/nodes?limit=500"},
	{DOCTOR_KUEUE, "mirrors of MultiKueue",
	 KUEUE_API "/workloads?limit=20&labelSelector=kueue.x-k8s.io%2Fmultikueue-origin%2C%21spillway.dev%2Forigin"},
};

struct asking {
	struct sw_loop *loop;
	struct sw_kube **kubes; /* one per cluster, NULL: none */
	size_t under_way;
};

struct asked {
	struct asking *all;
	struct doctor_cluster *c;
	char *id;                   /* of a fact, or */
	struct doctor_right *right; /* a right */
};

static void note_time(struct doctor_cluster *c, const struct sw_kube_reply *r, int64_t now_ms)
{
	if (!r->date_ms || c->told_time)
		return;
	c->told_time = true;
	c->ahead_ms = r->date_ms - now_ms / 1000 * 1000;
}

static void on_reply(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct asked *a = owner;

	a->all->under_way--;
	note_time(a->c, reply, sw_loop_wall(a->all->loop));
	if (a->right && !sw_failed(err))
		a->right->answer = sw_json_bool(reply->object, "status.allowed") ? DOCTOR_MAY : DOCTOR_MAY_NOT;
	else if (a->id)
		doctor_fact_add(a->c, a->id, err,
				!sw_failed(err) && reply->object ? json_object_get(reply->object) : NULL);
	free(a->id);
	free(a);
}

static void send_request(struct asking *all, struct doctor_cluster *c, struct sw_kube *k, const char *id,
			 struct doctor_right *right, struct sw_kube_req *req)
{
	struct sw_kube_call *call;
	struct asked *a = sw_calloc(1, sizeof *a);

	*a = (struct asked){all, c, sw_strdup(id), right};
	req->cls = SW_KUBE_LIST;
	req->timeout_ms = ASK_MS;
	req->max_reply = LIST_MAX;
	struct sw_err e = sw_kube_start(k, req, on_reply, a, &call);
	if (!sw_failed(e)) {
		all->under_way++;
		return;
	}
	if (id)
		doctor_fact_add(c, id, e, NULL);
	free(a->id);
	free(a);
}

static void get(struct asking *all, struct doctor_cluster *c, struct sw_kube *k, const char *id, const char *path)
{
	struct sw_kube_req req = {.method = "GET", .path = path};

	send_request(all, c, k, id, NULL, &req);
}

static void wait_for_all(struct asking *all)
{
	while (all->under_way)
		uv_run(sw_loop_uv(all->loop), UV_RUN_ONCE);
}

/* ---- the rounds ------------------------------------------------------------------------- */

static void ask_what_is_served(struct asking *all, struct doctor_cluster *c, struct sw_kube *k)
{
	char id[256], path[256];
	const struct sw_kind *kind;

	get(all, c, k, "apis", "/apis");
	for (size_t i = 0; (kind = sw_kind_at(i)); i++) {
		snprintf(id, sizeof id, "resources of %s/%s", kind->group, kind->version);
		snprintf(path, sizeof path, "/apis/%s/%s", kind->group, kind->version);
		bool again = false;
		for (size_t before = 0; before < i; before++)
			again |= strcmp(sw_kind_at(before)->group, kind->group) == 0 &&
				 strcmp(sw_kind_at(before)->version, kind->version) == 0;
		if (!again)
			get(all, c, k, id, path);
	}
}

static void ask_rights(struct asking *all, struct doctor_cluster *c, struct sw_kube *k)
{
	for (size_t i = 0; i < c->n_rights; i++) {
		size_t len;
		json_t *review = doctor_right_review(&c->rights[i]);
		char *text = sw_json_text(review, &len);
		struct sw_kube_req req = {.method = "POST",
					  .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
					  .body = text,
					  .body_len = len};
		send_request(all, c, k, NULL, &c->rights[i], &req);
		json_object_put(review);
		free(text);
	}
}

static void ask_jobs(struct asking *all, struct doctor_cluster *c, struct sw_kube *k)
{
	char id[256];
	const struct sw_kind *kind;
	struct sw_buf path;

	sw_buf_init(&path, 1024);
	for (size_t i = 0; (kind = sw_kind_at(i)); i++) {
		if (!doctor_serves_kind(c, kind))
			continue;
		sw_buf_reset(&path);
		sw_kube_path(&path, kind->group, kind->version, kind->plural, NULL, NULL, NULL);
		sw_buf_printf(&path, "?limit=%d&labelSelector=kueue.x-k8s.io%%2Fqueue-name", JOBS);
		snprintf(id, sizeof id, "jobs of %s", kind->resource);
		get(all, c, k, id, path.at);
	}
	sw_buf_fini(&path);
}

static void ask_rest(struct asking *all, struct doctor_cluster *c, struct sw_kube *k)
{
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
		if (questions[i].scope & c->scope)
			get(all, c, k, questions[i].id, questions[i].path);
	if (c->scope & DOCTOR_MIRROR)
		ask_jobs(all, c, k);
	ask_rights(all, c, k);
}

static void open_kubes(struct asking *all, struct sw_http *http, struct doctor_site *s, struct sw_kubeconfig **kcs)
{
	for (size_t i = 0; i < s->n_clusters; i++) {
		struct sw_kube_options opt = {.name = s->clusters[i].name};
		if (!kcs[i])
			continue;
		struct sw_err e = sw_kube_new(all->loop, http, kcs[i], &opt, &all->kubes[i]);
		kcs[i] = NULL;
		if (sw_failed(e))
			s->clusters[i].unreachable = e;
	}
}

void doctor_ask_all(struct sw_loop *loop, struct sw_http *http, struct doctor_site *s, struct sw_kubeconfig **kcs_taken)
{
	struct asking all = {.loop = loop, .kubes = sw_calloc(s->n_clusters + 1, sizeof *all.kubes)};

	s->now_ms = sw_loop_wall(loop);
	open_kubes(&all, http, s, kcs_taken);
	for (size_t i = 0; i < s->n_clusters; i++)
		if (all.kubes[i])
			get(&all, &s->clusters[i], all.kubes[i], "version", "/version");
	wait_for_all(&all);
	for (size_t i = 0; i < s->n_clusters; i++) {
		const struct doctor_fact *f = doctor_fact(&s->clusters[i], "version");
		if (f && sw_failed(f->err))
			s->clusters[i].unreachable = f->err;
	}
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < s->n_clusters; i++)
			if (all.kubes[i] && !sw_failed(s->clusters[i].unreachable))
				(round ? ask_rest : ask_what_is_served)(&all, &s->clusters[i], all.kubes[i]);
		wait_for_all(&all);
	}
	for (size_t i = 0; i < s->n_clusters; i++)
		sw_kube_free(all.kubes[i]);
	free(all.kubes);
}
