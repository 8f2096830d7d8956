/* SPDX-License-Identifier: Apache-2.0 */
/* Objects over HTTPS and from inside: their life, lists, patches, deletes and what goes with them. */
#include "api_fix.h"

#define JSON_TYPE "Content-Type: application/json"
#define MERGE     "Content-Type: application/merge-patch+json"
#define TABLE     "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

static json_t *create(struct api_fix *f, const char *body)
{
	return api_expect(f, 201, "POST", JOBS, JSON_TYPE, body);
}

/* Waits until GET answers with the status: for what happens after the reply. */
static bool settles(struct api_fix *f, const char *path, long status)
{
	bool never = false;
	for (int i = 0; i < 400; i++) {
		struct answer a;
		api_call(f, &a, f->admin, "GET", path, NULL, NULL);
		long found = a.status;
		answer_fini(&a);
		if (found == status)
			return true;
		sw_loop_until(f->loop, &never, 10);
	}
	return false;
}

/* ---- one object ------------------------------------------------------------------------ */

Test(objects, an_object_lives_from_create_to_delete)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_t *a = create(&f, JOB("a", ""));
	const char *uid = sw_json_str(a, "metadata.uid"), *rv = sw_json_str(a, "metadata.resourceVersion");
	cr_assert(uid && rv && sw_json_str(a, "metadata.creationTimestamp"));
	cr_assert_str_eq(sw_json_str(a, "metadata.namespace"), "default");
	cr_assert_eq(sw_json_int(a, "metadata.generation", 0), 1);
	cr_assert_eq(sw_json_int(a, "spec.parallelism", 0), 1, "defaults are stored");
	json_object_put(api_expect(&f, 409, "POST", JOBS, JSON_TYPE, JOB("a", "")));

	json_t *b = api_expect(&f, 200, "PATCH", JOBS "/a", MERGE, "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}");
	cr_assert_eq(sw_json_int(b, "metadata.generation", 0), 1, "metadata is not the spec");
	cr_assert_str_neq(sw_json_str(b, "metadata.resourceVersion"), rv);
	json_object_put(b);
	b = api_expect(&f, 200, "PATCH", JOBS "/a", MERGE,
		       "{\"spec\":{\"parallelism\":3},\"status\":{\"succeeded\":9}}");
	cr_assert_eq(sw_json_int(b, "metadata.generation", 0), 2);
	cr_assert_eq(sw_json_int(b, "status.succeeded", 0), 0, "status has its own door");
	json_object_put(b);
	b = api_expect(&f, 200, "PATCH", JOBS "/a/status", MERGE,
		       "{\"spec\":{\"parallelism\":7},\"status\":{\"active\":2}}");
	cr_assert_eq(sw_json_int(b, "spec.parallelism", 0), 3, "and it opens to nothing else");
	cr_assert_eq(sw_json_int(b, "status.active", 0), 2);
	json_object_put(b);

	json_object_put(api_expect(&f, 409, "PUT", JOBS "/a", JSON_TYPE, json_object_to_json_string(a)));
	b = api_expect(&f, 200, "GET", JOBS "/a", NULL, NULL);
	json_object_put(api_expect(&f, 200, "PUT", JOBS "/a", JSON_TYPE, json_object_to_json_string(b)));
	json_object_put(api_expect(&f, 409, "DELETE", JOBS "/a", JSON_TYPE, "{\"preconditions\":{\"uid\":\"other\"}}"));
	json_object_put(b);
	b = api_expect(&f, 200, "DELETE", JOBS "/a?propagationPolicy=Background", NULL, NULL);
	cr_assert_str_eq(sw_json_str(b, "status"), "Success");
	cr_assert_str_eq(sw_json_str(b, "details.uid"), uid);
	json_object_put(b);
	json_object_put(api_expect(&f, 404, "GET", JOBS "/a", NULL, NULL));
	json_object_put(a);
	api_fix_fini(&f);
}

Test(objects, a_write_that_changes_nothing_is_not_stored)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_t *a = create(&f, JOB("a", ""));
	uint64_t rv = sw_store_rv(sw_api_store(f.api));
	json_t *b = api_expect(&f, 200, "PATCH", JOBS "/a", MERGE, "{\"spec\":{\"suspend\":false}}");
	cr_assert_str_eq(sw_json_str(a, "metadata.resourceVersion"), sw_json_str(b, "metadata.resourceVersion"));
	cr_assert_eq(sw_store_rv(sw_api_store(f.api)), rv);
	json_object_put(a);
	json_object_put(b);
	api_fix_fini(&f);
}

Test(objects, dry_runs_answer_as_if_and_store_nothing)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_object_put(api_expect(&f, 201, "POST", JOBS "?dryRun=All", JSON_TYPE, JOB("a", "")));
	json_object_put(api_expect(&f, 404, "GET", JOBS "/a", NULL, NULL));
	json_object_put(create(&f, JOB("a", "")));
	uint64_t rv = sw_store_rv(sw_api_store(f.api));
	json_t *b = api_expect(&f, 200, "PATCH", JOBS "/a?dryRun=All", MERGE, "{\"spec\":{\"parallelism\":3}}");
	cr_assert_eq(sw_json_int(b, "spec.parallelism", 0), 3);
	json_object_put(b);
	json_object_put(api_expect(&f, 200, "DELETE", JOBS "/a", JSON_TYPE, "{\"dryRun\":[\"All\"]}"));
	json_object_put(api_expect(&f, 200, "GET", JOBS "/a", NULL, NULL));
	cr_assert_eq(sw_store_rv(sw_api_store(f.api)), rv);
	api_fix_fini(&f);
}

Test(objects, generated_names_and_warnings)
{
	struct api_fix f;
	struct answer a;
	api_fix_init(&f, SW_SERVE_MANAGER);
	api_call(&f, &a, f.admin, "POST", JOBS, JSON_TYPE,
		 "{\"metadata\":{\"generateName\":\"run-\"},\"spec\":{\"nonsense\":1,\"template\":{\"spec\":"
		 "{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"a\",\"image\":\"b\"}]}}}}");
	cr_assert_eq(a.status, 201, "%s", a.body);
	const char *name = sw_json_str(a.json, "metadata.name");
	cr_assert(strncmp(name, "run-", 4) == 0 && strlen(name) == 9, "%s", name);
	cr_assert(strstr(a.warning, "unknown field") && strstr(a.warning, "spec.nonsense"), "warning: %s", a.warning);
	cr_assert(strstr(a.body, "nonsense") == NULL);
	answer_fini(&a);
	api_fix_fini(&f);
}

Test(objects, a_finalizer_holds_an_object_until_it_is_taken_off)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_object_put(create(&f, JOB("a", ",\"finalizers\":[\"x.io/f\"]")));
	json_t *b = api_expect(&f, 200, "DELETE", JOBS "/a", NULL, NULL);
	cr_assert(sw_json_str(b, "metadata.deletionTimestamp") != NULL);
	json_object_put(b);
	b = api_expect(&f, 409, "POST", JOBS, JSON_TYPE, JOB("a", ""));
	cr_assert(strstr(sw_json_str(b, "message"), "object is being deleted") != NULL);
	json_object_put(b);
	json_object_put(api_expect(&f, 200, "DELETE", JOBS "/a", NULL, NULL)); /* again: no change */
	json_object_put(api_expect(&f, 200, "PATCH", JOBS "/a", MERGE, "{\"metadata\":{\"finalizers\":null}}"));
	json_object_put(api_expect(&f, 404, "GET", JOBS "/a", NULL, NULL));
	api_fix_fini(&f);
}

/* ---- lists ----------------------------------------------------------------------------------- */

Test(objects, lists_page_select_and_take_the_shape_asked_for, .timeout = 60)
{
	struct api_fix f;
	char body[512], path[1024];
	api_fix_init(&f, SW_SERVE_MANAGER);
	for (int i = 0; i < 25; i++) {
		snprintf(body, sizeof(body),
			 "{\"metadata\":{\"name\":\"c%02d\",\"labels\":{\"odd\":\"%s\"}},\"data\":{\"k\":\"%d\"}}", i,
			 i % 2 ? "yes" : "no", i);
		json_object_put(api_expect(&f, 201, "POST", "/api/v1/namespaces/default/configmaps", JSON_TYPE, body));
	}
	static const struct {
		const char *query;
		size_t n;
	} rows[] = {
		{"", 25},
		{"?labelSelector=odd%3Dyes", 12},
		{"?fieldSelector=metadata.name%3Dc07", 1},
		{"?fieldSelector=metadata.name%3Dnone", 0},
		{"?fieldSelector=metadata.name%3Dc07&labelSelector=odd%3Dno", 0},
		{"?limit=7", 7},
		{"?limit=7&labelSelector=odd%3Dno", 7},
		{"?resourceVersion=0", 25},
		{"?resourceVersion=3&resourceVersionMatch=NotOlderThan", 25},
		{"?timeout=32s&unknown=1", 25},
		{"?fieldSelector=metadata.namespace%3Ddefault", 25},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "/api/v1/namespaces/default/configmaps%s", rows[i].query);
		json_t *plain = api_expect(&f, 200, "GET", path, NULL, NULL),
		       *table = api_expect(&f, 200, "GET", path, TABLE, NULL);
		cr_expect_eq(sw_json_len(sw_json_at(plain, "items")), rows[i].n, "%s: %zu items", rows[i].query,
			     sw_json_len(sw_json_at(plain, "items")));
		cr_expect_eq(sw_json_len(sw_json_at(table, "rows")), rows[i].n, "%s: %zu rows", rows[i].query,
			     sw_json_len(sw_json_at(table, "rows")));
		cr_expect_str_eq(sw_json_str(plain, "kind"), "ConfigMapList");
		cr_expect_str_eq(sw_json_str(table, "kind"), "Table");
		json_object_put(plain);
		json_object_put(table);
	}
	char after[600] = "";
	size_t seen = 0, pages = 0;
	do {
		snprintf(path, sizeof(path), "/api/v1/configmaps?limit=10%s%s", *after ? "&continue=" : "", after);
		json_t *page = api_expect(&f, 200, "GET", path, NULL, NULL);
		const char *cont = sw_json_str(page, "metadata.continue");
		struct sw_buf b;
		sw_buf_init(&b, sizeof(after) - 1);
		sw_buf_url(&b, cont ? cont : "");
		snprintf(after, sizeof(after), "%s", b.at ? b.at : "");
		sw_buf_fini(&b);
		seen += sw_json_len(sw_json_at(page, "items"));
		pages++;
		json_object_put(page);
	} while (*after);
	cr_assert_eq(seen, 25);
	cr_assert_eq(pages, 3);
	api_fix_fini(&f);
}

Test(objects, partial_metadata_and_the_other_name_of_events)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_object_put(create(&f, JOB("a", "")));
	json_t *o = api_expect(&f, 200, "GET", JOBS,
			       "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", NULL);
	cr_expect_str_eq(sw_json_str(o, "kind"), "PartialObjectMetadataList");
	cr_expect_eq(sw_json_at(sw_json_idx(sw_json_at(o, "items"), 0), "spec"), NULL);
	json_object_put(o);
	json_t *job = api_expect(&f, 200, "GET", JOBS "/a", NULL, NULL);
	for (int i = 0; i < 3; i++)
		sw_api_event(f.api, "jobs.batch", job, true, "Waiting", "no place yet");
	json_object_put(job);
	api_fix_barrier(&f);
	o = api_expect(
		&f, 200, "GET",
		"/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DJob",
		NULL, NULL);
	json_t *ev = sw_json_idx(sw_json_at(o, "items"), 0);
	cr_expect_eq(sw_json_len(sw_json_at(o, "items")), 1, "said three times, one event");
	cr_expect_eq(sw_json_int(ev, "count", 0), 3);
	cr_expect_str_eq(sw_json_str(ev, "type"), "Warning");
	json_object_put(o);
	o = api_expect(&f, 200, "GET", "/apis/events.k8s.io/v1/namespaces/default/events", NULL, NULL);
	ev = sw_json_idx(sw_json_at(o, "items"), 0);
	cr_expect_str_eq(sw_json_str(ev, "note"), "no place yet");
	cr_expect_str_eq(sw_json_str(ev, "regarding.name"), "a");
	json_object_put(o);
	api_fix_fini(&f);
}

Test(objects, events_go_an_hour_after_they_were_last_said, .timeout = 60)
{
	struct api_fix f;
	bool never = false;
	api_fix_init(&f, SW_SERVE_MANAGER);
	struct sw_store *s = sw_api_store(f.api);
	json_t *job = create(&f, JOB("a", ""));
	sw_loop_fake(f.loop, sw_loop_now(f.loop), sw_loop_wall(f.loop));
	sw_api_event(f.api, "jobs.batch", job, false, "Old", "said once");
	sw_api_event(f.api, "jobs.batch", job, false, "Young", "said again later");
	api_fix_barrier(&f);
	sw_loop_advance(f.loop, 50 * 60000);
	sw_api_event(f.api, "jobs.batch", job, false, "Young", "said again later");
	api_fix_barrier(&f);
	cr_expect_eq(sw_store_count(s, "events", NULL), 3, "ten minutes later it is another event");
	for (int i = 0; i < 200 && sw_store_count(s, "events", NULL) != 1; i++) {
		sw_loop_advance(f.loop, i < 20 ? 60000 : 0);
		sw_loop_until(f.loop, &never, 20);
	}
	cr_expect_eq(sw_store_count(s, "events", NULL), 1);
	json_object_put(job);
	api_fix_fini(&f);
}

/* ---- what goes with what ------------------------------------------------------------------------- */

static void create_owned(struct api_fix *f, const char *name, const char *owner, const char *uid)
{
	char body[600];
	snprintf(body, sizeof(body),
		 "{\"metadata\":{\"name\":\"%s\",\"ownerReferences\":[{\"apiVersion\":\"batch/"
		 "v1\",\"kind\":\"Job\",\"name\":\"%s\","
		 "\"uid\":\"%s\"}]}}",
		 name, owner, uid);
	json_object_put(api_expect(f, 201, "POST", "/api/v1/namespaces/default/configmaps", JSON_TYPE, body));
}
#define CM(name) "/api/v1/namespaces/default/configmaps/" name

Test(objects, dependents_go_with_their_last_owner, .timeout = 60)
{
	struct api_fix f;
	char two[700];
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_t *a = create(&f, JOB("a", "")), *b = create(&f, JOB("b", ""));
	const char *ua = sw_json_str(a, "metadata.uid"), *ub = sw_json_str(b, "metadata.uid");
	create_owned(&f, "of-a", "a", ua);
	snprintf(two, sizeof(two),
		 "{\"metadata\":{\"name\":\"of-both\",\"ownerReferences\":[{\"apiVersion\":\"batch/"
		 "v1\",\"kind\":\"Job\",\"name\":\"a\","
		 "\"uid\":\"%s\"},{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"name\":\"b\",\"uid\":\"%s\"}]}}",
		 ua, ub);
	json_object_put(api_expect(&f, 201, "POST", "/api/v1/namespaces/default/configmaps", JSON_TYPE, two));
	json_object_put(api_expect(&f, 200, "DELETE", JOBS "/a?propagationPolicy=Foreground", NULL, NULL));
	cr_expect(settles(&f, CM("of-a"), 404));
	json_t *o = api_expect(&f, 200, "GET", CM("of-both"), NULL, NULL);
	cr_expect_eq(sw_json_len(sw_json_at(o, "metadata.ownerReferences")), 1);
	json_object_put(o);
	create_owned(&f, "too-late", "a", ua);
	cr_expect(settles(&f, CM("too-late"), 404), "made after its owner was deleted");
	json_object_put(api_expect(&f, 200, "DELETE", JOBS "/b", NULL, NULL));
	cr_expect(settles(&f, CM("of-both"), 404));
	json_object_put(a);
	json_object_put(b);
	api_fix_fini(&f);
}

Test(objects, orphans_stay_without_their_owner)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_t *a = create(&f, JOB("a", ""));
	create_owned(&f, "of-a", "a", sw_json_str(a, "metadata.uid"));
	json_object_put(api_expect(&f, 200, "DELETE", JOBS "/a", JSON_TYPE, "{\"propagationPolicy\":\"Orphan\"}"));
	json_t *o = api_expect(&f, 200, "GET", CM("of-a"), NULL, NULL);
	cr_expect_eq(sw_json_at(o, "metadata.ownerReferences"), NULL);
	json_object_put(o);
	json_object_put(a);
	api_fix_restart(&f);
	json_object_put(api_expect(&f, 200, "GET", CM("of-a"), NULL, NULL));
	api_fix_fini(&f);
}

Test(objects, a_namespace_takes_its_content_along, .timeout = 60)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_object_put(
		api_expect(&f, 201, "POST", "/api/v1/namespaces", JSON_TYPE, "{\"metadata\":{\"name\":\"tmp\"}}"));
	json_object_put(api_expect(&f, 201, "POST", "/apis/batch/v1/namespaces/tmp/jobs", JSON_TYPE,
				   JOB("a", ",\"finalizers\":[\"x.io/f\"]")));
	json_object_put(api_expect(&f, 201, "POST", "/api/v1/namespaces/tmp/configmaps", JSON_TYPE,
				   "{\"metadata\":{\"name\":\"c\"}}"));
	json_t *o = api_expect(&f, 200, "DELETE", "/api/v1/namespaces/tmp", NULL, NULL);
	cr_expect_str_eq(sw_json_str(o, "status.phase"), "Terminating");
	json_object_put(o);
	json_object_put(api_expect(&f, 403, "POST", "/apis/batch/v1/namespaces/tmp/jobs", JSON_TYPE, JOB("b", "")));
	cr_expect(settles(&f, "/api/v1/namespaces/tmp/configmaps/c", 404));
	json_object_put(api_expect(&f, 200, "GET", "/api/v1/namespaces/tmp", NULL, NULL));
	api_fix_restart(&f); /* and it goes on after a restart */
	json_object_put(api_expect(&f, 200, "PATCH", "/apis/batch/v1/namespaces/tmp/jobs/a", MERGE,
				   "{\"metadata\":{\"finalizers\":null}}"));
	cr_expect(settles(&f, "/api/v1/namespaces/tmp", 404));
	api_fix_fini(&f);
}

Test(objects, a_collection_is_deleted_by_selector)
{
	struct api_fix f;
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_object_put(create(&f, JOB("a", ",\"labels\":{\"x\":\"1\"}")));
	json_object_put(create(&f, JOB("b", ",\"labels\":{\"x\":\"1\"}")));
	json_object_put(create(&f, JOB("c", "")));
	json_object_put(api_expect(&f, 200, "DELETE", JOBS "?labelSelector=x%3D1&dryRun=All", NULL, NULL));
	cr_expect_eq(sw_store_count(sw_api_store(f.api), "jobs.batch", NULL), 3);
	json_object_put(api_expect(&f, 200, "DELETE", JOBS "?labelSelector=x%3D1", NULL, NULL));
	cr_expect_eq(sw_store_count(sw_api_store(f.api), "jobs.batch", NULL), 1);
	json_object_put(api_expect(&f, 200, "DELETE", JOBS, NULL, NULL));
	cr_expect_eq(sw_store_count(sw_api_store(f.api), "jobs.batch", NULL), 0);
	json_object_put(api_expect(&f, 200, "DELETE", JOBS, NULL, NULL));
	api_fix_fini(&f);
}

/* ---- from inside ------------------------------------------------------------------------------------ */

struct wrote {
	bool done;
	struct sw_err err;
	char rv[24];
};

static void on_wrote(void *owner, struct sw_err err, json_t *o)
{
	struct wrote *w = owner;
	w->done = true;
	w->err = err;
	const char *rv = sw_json_str(o, "metadata.resourceVersion");
	snprintf(w->rv, sizeof(w->rv), "%s", rv ? rv : "");
}

static struct sw_err no_parallel(void *owner, json_t *o, json_t *old, const char *user, char warn[256])
{
	(void)owner;
	if (sw_json_int(o, "spec.parallelism", 0) > 100)
		return sw_err(SW_E_INVALID, "spec.parallelism: found %d, expected at most 100",
			      (int)sw_json_int(o, "spec.parallelism", 0));
	if (!old) {
		sw_json_set_bool(o, "spec.suspend", true);
		snprintf(warn, 256, "waits in the queue of %s", user);
	}
	return SW_OK;
}

Test(objects, hooks_change_warn_and_refuse_for_everybody)
{
	static const struct sw_admit hooks[] = {{.resource = "jobs.batch", .check = no_parallel}};
	struct sw_api_options opt = {.serve = SW_SERVE_MANAGER, .admit = hooks, .n_admit = 1};
	struct api_fix f;
	struct answer a;
	struct wrote w = {.done = false};
	api_fix_init_opt(&f, &opt);
	api_call(&f, &a, f.submitter, "POST", JOBS, JSON_TYPE, JOB("a", ""));
	cr_expect_eq(a.status, 201, "%s", a.body);
	cr_expect(sw_json_bool(a.json, "spec.suspend"));
	cr_expect(strstr(a.warning, "waits in the queue of sam"), "%s", a.warning);
	answer_fini(&a);
	json_t *o = api_expect(&f, 422, "PATCH", JOBS "/a", MERGE, "{\"spec\":{\"parallelism\":101}}");
	cr_expect(strstr(sw_json_str(o, "message"), "spec.parallelism: found 101"), "%s", sw_json_str(o, "message"));
	json_object_put(o);
	struct sw_obj_key key = {"jobs.batch", "default", "a"};
	cr_assert(!sw_failed(sw_api_object_get(f.api, &key, &o)));
	sw_json_set_int(o, "spec.parallelism", 200);
	cr_expect_eq(sw_api_object_update(f.api, "jobs.batch", o, NULL, on_wrote, &w).code, SW_E_INVALID);
	cr_expect_not(w.done);
	json_object_put(o);
	api_fix_fini(&f);
}

Test(objects, controllers_inside_write_through_the_same_checks)
{
	struct api_fix f;
	struct wrote w = {.done = false};
	struct sw_obj_key key = {"jobs.batch", "default", "a"};
	json_t *o = NULL, *job = NULL;
	api_fix_init(&f, SW_SERVE_MANAGER);
	cr_assert(!sw_failed(sw_json_parse(JOB("a", ",\"namespace\":\"default\""),
					   strlen(JOB("a", ",\"namespace\":\"default\"")), &job)));
	struct sw_err e = sw_api_object_create(f.api, "jobs.batch", job, on_wrote, &w);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_expect_not(w.done, "never inside the call");
	cr_assert(sw_loop_until(f.loop, &w.done, 5000));
	cr_assert(!sw_failed(w.err), "%s", w.err.text);
	cr_expect_eq(sw_api_object_create(f.api, "jobs.batch", job, NULL, NULL).code, SW_E_EXISTS);
	cr_assert(!sw_failed(sw_api_object_get(f.api, &key, &o)));
	cr_expect_str_eq(sw_json_str(o, "metadata.resourceVersion"), w.rv);
	sw_json_set_int(o, "status.active", 1);
	w.done = false;
	cr_assert(!sw_failed(sw_api_object_update(f.api, "jobs.batch", o, "status", on_wrote, &w)));
	cr_expect_eq(sw_api_object_update(f.api, "jobs.batch", o, "status", NULL, NULL).code, SW_E_CONFLICT,
		     "the first is in flight already");
	cr_assert(sw_loop_until(f.loop, &w.done, 5000));
	sw_json_del(o, "metadata.resourceVersion");
	w.done = false; /* nothing changes: done all the same */
	cr_assert(!sw_failed(sw_api_object_update(f.api, "jobs.batch", o, "status", on_wrote, &w)));
	cr_expect_not(w.done);
	cr_assert(sw_loop_until(f.loop, &w.done, 5000));
	cr_expect_eq(sw_api_object_delete(f.api, &key, "other", NULL, NULL).code, SW_E_CONFLICT);
	cr_expect(!sw_failed(sw_api_object_delete(f.api, &key, sw_json_str(o, "metadata.uid"), NULL, NULL)));
	cr_expect_eq(sw_api_object_delete(f.api, &key, NULL, NULL, NULL).code, SW_E_MISSING);
	cr_expect_eq(sw_api_object_create(f.api, "no.such", job, NULL, NULL).code, SW_E_INVALID);
	json_object_put(o);
	json_object_put(job);
	api_fix_fini(&f);
}

#define POD                                                                                                            \
	"{\"metadata\":{\"name\":\"p\",\"namespace\":\"default\",\"labels\":{\"job-name\":\"a\"}},\"spec\":{"          \
	"\"containers\":[{\"name\":\"c\","                                                                             \
	"\"image\":\"i\"}]},\"status\":{\"phase\":\"%s\"}}"

Test(objects, mirrored_pods_are_written_from_inside_only)
{
	struct api_fix f;
	struct wrote w = {.done = false};
	api_fix_init(&f, SW_SERVE_MANAGER);
	json_t *pod = sw_json_fmt(POD, "Pending");
	cr_assert(!sw_failed(sw_api_object_mirror(f.api, "pods", pod, on_wrote, &w)));
	cr_assert(sw_loop_until(f.loop, &w.done, 5000));
	json_t *o = api_expect(&f, 200, "GET", "/api/v1/namespaces/default/pods/p", NULL, NULL), *o2;
	cr_expect_str_eq(sw_json_str(o, "status.phase"), "Pending");
	cr_expect_str_eq(sw_json_str(o, "kind"), "Pod");
	sw_json_set_str(pod, "status.phase", "Running");
	w.done = false;
	cr_assert(!sw_failed(sw_api_object_mirror(f.api, "pods", pod, on_wrote, &w)));
	cr_assert(sw_loop_until(f.loop, &w.done, 5000));
	o2 = api_expect(&f, 200, "GET", "/api/v1/namespaces/default/pods/p", NULL, NULL);
	cr_expect_str_eq(sw_json_str(o2, "status.phase"), "Running");
	cr_expect_str_eq(sw_json_str(o, "metadata.uid"), sw_json_str(o2, "metadata.uid"));
	json_object_put(api_expect(&f, 405, "PATCH", "/api/v1/namespaces/default/pods/p", MERGE, "{}"));
	sw_json_set_str(pod, "metadata.name", "Bad Name");
	cr_expect_eq(sw_api_object_mirror(f.api, "pods", pod, NULL, NULL).code, SW_E_INVALID);
	json_object_put(o);
	json_object_put(o2);
	json_object_put(pod);
	api_fix_fini(&f);
}
