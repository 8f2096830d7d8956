/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

static const char pod_text[] =
	"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'pi-x','namespace':'default','uid':'11111111-2222-3333-"
	"4444-555555555555','resourceVersion':'77',"
	"'labels':{'batch.kubernetes.io/"
	"controller-uid':'remote','controller-uid':'remote','job-name':'pi'},'ownerReferences':[{'uid':'remote'}]},"
	"'spec':{'nodeName':'n1','containers':[{'name':'c','image':'b'}]},'status':{'phase':'Running'}}";

static struct sw_err mirror(struct world *w, const char *job, const char *text)
{
	const struct sw_workload *r = row(w, job);
	struct answer a = {0};
	json_t *pod = json_of(text);
	struct sw_err e = wait_for(w, w->m->ops->mirror_pod(w->m, r->key, r->job_uid, "east", pod, on_done, &a), &a);

	json_object_put(pod);
	return e;
}

static struct sw_err keep(struct world *w, const char *pod, const char *text, size_t n, bool cut)
{
	struct answer a = {0};

	return wait_for(w, w->m->ops->keep_log(w->m, "", "default", pod, "c", text, n, cut, on_done, &a), &a);
}

static bool kept(struct world *w, const char *pod)
{
	char key[200];
	struct sw_bytes *b = NULL;

	snprintf(key, sizeof(key), "log/default/%s/c", pod);
	struct sw_err e = sw_store_note_get(sw_api_store(w->api), key, &b);

	sw_bytes_unref(b);
	return !sw_failed(e);
}

Test(manager_mirror, a_pod_is_shown_as_the_jobs_own_and_goes_with_it)
{
	struct world w;

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	struct sw_err e = mirror(&w, "pi", pod_text);

	cr_assert(!sw_failed(e), "%s", e.text);
	json_t *pod = get(&w, "pods", "default", "pi-x"), *job = get(&w, "jobs.batch", "default", "pi");
	const char *uid = sw_json_str(job, "metadata.uid");

	cr_assert(pod);
	cr_expect_str_eq(sw_json_label(pod, "batch.kubernetes.io/controller-uid"), uid);
	cr_expect_str_eq(sw_json_label(pod, "job-name"), "pi");
	cr_expect_str_eq(sw_json_annotation(pod, "spillway.dev/cluster"), "east");
	cr_expect_eq(sw_json_len(sw_json_at(pod, "metadata.ownerReferences")), 1);
	cr_expect_str_eq(sw_json_str(sw_json_idx(sw_json_at(pod, "metadata.ownerReferences"), 0), "uid"), uid);
	cr_expect_str_neq(sw_json_str(pod, "metadata.resourceVersion"), "77");
	uint64_t rv = sw_store_rv(sw_api_store(w.api));

	cr_expect(!sw_failed(mirror(&w, "pi", pod_text)));
	cr_expect_eq(sw_store_rv(sw_api_store(w.api)), rv, "the same again is no write");
	json_object_put(job);
	json_object_put(pod);
	cr_expect(!sw_failed(keep(&w, "pi-x", "hello\n", 6, false)));
	cr_expect(kept(&w, "pi-x"));
	cr_expect(!sw_failed(erase(&w, "jobs.batch", "default", "pi")));
	UNTIL(&w, !kept(&w, "pi-x")); /* the cascade takes the pod, and the pod its log */
	cr_expect_null(get(&w, "pods", "default", "pi-x"));
	world_close(&w);
}

Test(manager_mirror, a_pod_that_left_its_cluster_goes_unless_the_job_is_finished)
{
	struct world w;

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	cr_expect(!sw_failed(mirror(&w, "pi", pod_text)));
	cr_expect(!sw_failed(mirror(&w, "pi", "{'metadata':{'name':'pi-x'}}")));
	cr_expect_null(get(&w, "pods", "default", "pi-x"));
	cr_expect(!sw_failed(mirror(&w, "pi", "{'metadata':{'name':'pi-x'}}")));
	cr_expect(!sw_failed(mirror(&w, "pi", pod_text)));
	nominate(&w, "pi");
	win(&w, "pi", "east");
	cr_expect(!sw_failed(finish(&w, "pi", complete_status, SW_SUCCEEDED)));
	cr_expect(!sw_failed(mirror(&w, "pi", "{'metadata':{'name':'pi-x'}}")));
	json_t *pod = get(&w, "pods", "default", "pi-x");

	cr_expect(pod, "kept with its finished job");
	json_object_put(pod);
	world_close(&w);
}

Test(manager_mirror, what_is_no_pod_of_ours_is_refused)
{
	struct world w;
	struct answer a = {0};
	json_t *pod = json_of(pod_text), *bad = json_of("{'metadata':{'name':'../x'},'spec':{}}"),
	       *none = json_of("{}");

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	const struct sw_workload *r = row(&w, "pi");

	cr_expect_eq(w.m->ops->mirror_pod(w.m, r->key, "00000000-0000-0000-0000-000000000000", "east", pod, on_done, &a)
			     .code,
		     SW_E_MISSING);
	cr_expect_eq(w.m->ops->mirror_pod(w.m, "default/none", r->job_uid, "east", pod, on_done, &a).code,
		     SW_E_MISSING);
	cr_expect_eq(w.m->ops->mirror_pod(w.m, r->key, r->job_uid, "east", bad, on_done, &a).code, SW_E_INVALID);
	cr_expect_eq(w.m->ops->mirror_pod(w.m, r->key, r->job_uid, "east", none, on_done, &a).code, SW_E_INVALID);
	json_object_put(none);
	json_object_put(bad);
	json_object_put(pod);
	world_close(&w);
}

Test(manager_mirror, kept_logs_are_bounded_in_all_and_the_oldest_go_first)
{
	struct world w;
	char text[400], name[32];

	world_open(&w);
	sw_embedded_free(w.m);
	world_start(&w, 1000);
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		cr_expect(!sw_failed(keep(&w, name, text, sizeof(text), false)));
	}
	cr_expect(!kept(&w, "p0") && !kept(&w, "p2") && kept(&w, "p3") && kept(&w, "p4"));
	sw_embedded_free(w.m);
	world_start(&w, 1000); /* what there is was counted again */
	cr_expect(!sw_failed(keep(&w, "p5", text, sizeof(text), false)));
	cr_expect(!kept(&w, "p3") && kept(&w, "p4") && kept(&w, "p5"));
	cr_expect(!sw_failed(keep(&w, "p4", "short", 5, true)), "replaced");
	cr_expect(kept(&w, "p4") && kept(&w, "p5"));
	struct sw_err e = keep(&w, "huge", text, 400, false);

	cr_expect(!sw_failed(e));
	world_close(&w);
}

static void on_note(void *owner, const char *name, json_t *value)
{
	char *out = owner;

	snprintf(out + strlen(out), 200 - strlen(out), "%s=%s;", name,
		 json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
}

Test(manager_mirror, notes_survive_a_restart)
{
	struct world w;
	struct answer a = {0};
	char seen[200] = "";
	json_t *v = json_of("{'a':1}");

	world_open(&w);
	cr_expect(!sw_failed(wait_for(&w, w.m->ops->note_put(w.m, "identity/x", v, on_done, &a), &a)));
	a.done = false;
	cr_expect(!sw_failed(wait_for(&w, w.m->ops->note_put(w.m, "intent/y", v, on_done, &a), &a)));
	world_restart(&w);
	w.m->ops->notes(w.m, "identity/", on_note, seen);
	cr_expect_str_eq(seen, "identity/x={\"a\":1};");
	a.done = false;
	cr_expect(!sw_failed(wait_for(&w, w.m->ops->note_put(w.m, "identity/x", NULL, on_done, &a), &a)));
	*seen = '\0';
	w.m->ops->notes(w.m, "", on_note, seen);
	cr_expect_str_eq(seen, "intent/y={\"a\":1};");
	json_object_put(v);
	world_close(&w);
}

struct reading {
	bool done;
	struct sw_err e;
	char job[64], workload[64];
};

static void on_read(void *owner, struct sw_err e, json_t *job, json_t *workload)
{
	struct reading *r = owner;

	r->done = true;
	r->e = e;
	snprintf(r->job, sizeof(r->job), "%s", job ? sw_json_str(job, "metadata.name") : "");
	snprintf(r->workload, sizeof(r->workload), "%s", workload ? sw_json_str(workload, "kind") : "");
}

Test(manager_mirror, read_gives_both_objects_later_and_nothing_after_close)
{
	struct world w;
	struct reading r = {0}, never = {0};

	world_open(&w);
	job_add(&w, "pi", 1);
	UNTIL(&w, is_reserved(&w, "pi"));
	cr_expect(!sw_failed(w.m->ops->read(w.m, row(&w, "pi")->key, on_read, &r)));
	cr_expect(!r.done);
	UNTIL(&w, r.done);
	cr_expect(!sw_failed(r.e));
	cr_expect_str_eq(r.job, "pi");
	cr_expect_str_eq(r.workload, "Workload");
	cr_expect_eq(w.m->ops->read(w.m, "default/none", on_read, &r).code, SW_E_MISSING);
	w.m->ops->event(w.m, row(&w, "pi")->key, true, "Because", "so");
	cr_expect(!sw_failed(w.m->ops->read(w.m, row(&w, "pi")->key, on_read, &never)));
	world_close(&w);
	cr_expect(!never.done);
}
