/* SPDX-License-Identifier: Apache-2.0 */
/* test_discovery.c - discovery in both forms, OpenAPI, the resource table, Status objects */
#include "pure.h"
#include "spillway/discovery.h"

static json_t *parsed(struct sw_buf *b)
{
	json_t *o = NULL;
	struct sw_err e = sw_json_parse(b->at ? b->at : "", b->len, &o);

	cr_assert(!sw_failed(e), "%s in %.300s", e.text, b->at);
	sw_buf_fini(b);
	return o;
}

static json_t *by_key(json_t *list, const char *key, const char *value)
{
	for (size_t i = 0; i < sw_json_len(list); i++) {
		const char *v = sw_json_str(sw_json_idx(list, i), key);

		if (v && strcmp(v, value) == 0)
			return sw_json_idx(list, i);
	}
	return NULL;
}

Test(discovery, the_aggregated_form_lists_every_resource_once)
{
	struct sw_buf b;
	json_t *o, *batch, *jobs;

	sw_buf_init(&b, 1 << 20);
	sw_discovery_apis(&b, SW_SERVE_MANAGER, SW_DISCOVERY_V2);
	o = parsed(&b);
	cr_expect_str_eq(sw_json_str(o, "apiVersion"), "apidiscovery.k8s.io/v2");
	cr_expect_str_eq(sw_json_str(o, "kind"), "APIGroupDiscoveryList");
	batch = by_key(sw_json_key(o, "items"), "metadata.name", "batch");
	cr_assert_not_null(batch);
	jobs = by_key(sw_json_key(sw_json_idx(sw_json_key(batch, "versions"), 0), "resources"), "resource", "jobs");
	same_json("jobs", json_object_get(jobs),
		  json_of("{'resource':'jobs','responseKind':{'group':'batch','version':'v1','kind':'Job'},'scope':'"
			  "Namespaced','singularResource':'job',"
			  "'verbs':['create','delete','deletecollection','get','list','patch','update','watch'],'"
			  "categories':['all'],"
			  "'subresources':[{'subresource':'status','responseKind':{'group':'batch','version':'v1','"
			  "kind':'Job'},'verbs':['get','patch','update']}]}"));
	cr_expect_null(by_key(sw_json_key(o, "items"), "metadata.name", "sim.spillway.dev"), "pools are for workers");
	json_object_put(o);
	sw_buf_init(&b, 1 << 20);
	sw_discovery_api(&b, SW_SERVE_WORKER, SW_DISCOVERY_V2BETA1);
	o = parsed(&b);
	cr_expect_str_eq(sw_json_str(o, "apiVersion"), "apidiscovery.k8s.io/v2beta1");
	cr_expect_eq(sw_json_len(sw_json_key(o, "items")), 1);
	json_object_put(o);
	no_leaks();
}

Test(discovery, the_plain_form_for_everyone_else)
{
	struct sw_buf b;
	json_t *o, *pods;

	sw_buf_init(&b, 1 << 20);
	sw_discovery_api(&b, SW_SERVE_MANAGER, SW_DISCOVERY_PLAIN);
	o = parsed(&b);
	cr_expect_str_eq(json_object_get_string(sw_json_idx(sw_json_key(o, "versions"), 0)), "v1");
	json_object_put(o);
	sw_buf_init(&b, 1 << 20);
	sw_discovery_apis(&b, SW_SERVE_MANAGER, SW_DISCOVERY_PLAIN);
	o = parsed(&b);
	same_json("batch", json_object_get(by_key(sw_json_key(o, "groups"), "name", "batch")),
		  json_of("{'name':'batch','versions':[{'groupVersion':'batch/"
			  "v1','version':'v1'}],'preferredVersion':{'groupVersion':'batch/v1','version':'v1'}}"));
	cr_expect_null(by_key(sw_json_key(o, "groups"), "name", ""));
	json_object_put(o);
	sw_buf_init(&b, 1 << 20);
	cr_expect(sw_discovery_resources(&b, SW_SERVE_MANAGER, "", "v1"));
	o = parsed(&b);
	cr_expect_str_eq(sw_json_str(o, "groupVersion"), "v1");
	pods = by_key(sw_json_key(o, "resources"), "name", "pods");
	same_json("pods are read-only on the manager", json_object_get(sw_json_key(pods, "verbs")),
		  json_of("['get','list','watch']"));
	cr_expect_not_null(by_key(sw_json_key(o, "resources"), "name", "pods/log"));
	cr_expect_null(by_key(sw_json_key(o, "resources"), "name", "nodes"));
	json_object_put(o);
	sw_buf_init(&b, 1 << 20);
	cr_expect(sw_discovery_group(&b, SW_SERVE_MANAGER, "kueue.x-k8s.io"));
	o = parsed(&b);
	cr_expect_str_eq(sw_json_str(o, "preferredVersion.version"), "v1beta2");
	json_object_put(o);
	sw_buf_init(&b, 1 << 20);
	cr_expect_not(sw_discovery_group(&b, SW_SERVE_MANAGER, "apps"));
	cr_expect_not(sw_discovery_resources(&b, SW_SERVE_MANAGER, "batch", "v2"));
	cr_expect_not(sw_discovery_group(&b, SW_SERVE_MANAGER, ""));
	cr_expect_eq(b.len, 0);
	sw_buf_fini(&b);
	no_leaks();
}

Test(discovery, the_form_is_chosen_by_accept)
{
	static const struct {
		const char *accept;
		enum sw_discovery_form form;
	} rows[] = {
		{"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/"
		 "json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
		 SW_DISCOVERY_V2},
		{"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
		 SW_DISCOVERY_V2BETA1},
		{"application/json", SW_DISCOVERY_PLAIN},
		{"application/json, */*", SW_DISCOVERY_PLAIN},
		{NULL, SW_DISCOVERY_PLAIN},
		{"application/json,application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
		 SW_DISCOVERY_PLAIN},
		{"application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList,application/json",
		 SW_DISCOVERY_PLAIN},
		{"application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/"
		 "json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
		 SW_DISCOVERY_V2},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(sw_discovery_form(rows[i].accept), rows[i].form, "%s", rows[i].accept);
}

/* kubectl's test: a PATCH operation of the kind with the parameter fieldValidation. */
static bool verifier_is_content(json_t *doc, const struct sw_resource *r)
{
	json_t *paths = sw_json_key(doc, "paths");

	json_object_object_foreach(paths, path, item)
	{
		json_t *patch = sw_json_key(item, "patch"),
		       *gvk = sw_json_key(patch, "x-kubernetes-group-version-kind");

		if (strcmp(sw_json_str(gvk, "group"), r->group) == 0 && strcmp(sw_json_str(gvk, "kind"), r->kind) == 0)
			return by_key(sw_json_key(patch, "parameters"), "name", "fieldValidation") &&
			       strstr(path, r->plural);
	}
	return false;
}

Test(discovery, openapi_lets_kubectl_validate_and_explain_every_kind)
{
	struct sw_schema *s = schema_or_die();
	size_t n;
	const struct sw_resource *rows = sw_resources(&n);
	struct sw_buf b;
	json_t *index;

	sw_buf_init(&b, 1 << 20);
	sw_openapi_index(&b, s, SW_SERVE_MANAGER);
	index = parsed(&b);
	for (size_t i = 0; i < n; i++) {
		char path[128];
		json_t *doc, *schemas;
		bool marked = false;

		if (!sw_resource_verbs(&rows[i], SW_SERVE_MANAGER))
			continue;
		snprintf(path, sizeof(path), "%s%s/%s", *rows[i].group ? "apis/" : "api", rows[i].group,
			 rows[i].version);
		cr_expect_not_null(sw_json_key(sw_json_key(index, "paths"), path), "%s", path);
		sw_buf_init(&b, 4 << 20);
		cr_assert(sw_openapi_document(&b, s, SW_SERVE_MANAGER, rows[i].group, rows[i].version));
		cr_expect_lt(b.len, 600000, "%s: %zu bytes", path, b.len);
		doc = parsed(&b);
		cr_expect(verifier_is_content(doc, &rows[i]), "%s", rows[i].id);
		schemas = sw_json_at(doc, "components.schemas");
		json_object_object_foreach(schemas, name, schema)
		{
			json_t *gvk = sw_json_idx(sw_json_key(schema, "x-kubernetes-group-version-kind"), 0);

			(void)name;
			marked |= gvk && strcmp(sw_json_str(gvk, "kind"), rows[i].kind) == 0;
		}
		cr_expect(marked, "%s", rows[i].id);
		json_object_put(doc);
	}
	json_object_put(index);
	sw_schema_free(s);
	no_leaks();
}

/* Every $ref of a document leads somewhere. */
static void refs_lead(json_t *v, json_t *schemas)
{
	if (json_object_is_type(v, json_type_array))
		for (size_t i = 0; i < sw_json_len(v); i++)
			refs_lead(sw_json_idx(v, i), schemas);
	if (!json_object_is_type(v, json_type_object))
		return;
	json_object_object_foreach(v, key, child)
	{
		if (strcmp(key, "$ref") == 0)
			cr_expect_not_null(sw_json_key(schemas, strrchr(json_object_get_string(child), '/') + 1), "%s",
					   json_object_get_string(child));
		refs_lead(child, schemas);
	}
}

Test(discovery, openapi_has_no_loose_ends)
{
	struct sw_schema *s = schema_or_die();
	struct sw_buf b;
	json_t *doc, *schemas;

	sw_buf_init(&b, 4 << 20);
	cr_assert(sw_openapi_document(&b, s, SW_SERVE_WORKER, "", "v1"));
	doc = parsed(&b);
	schemas = sw_json_at(doc, "components.schemas");
	refs_lead(doc, schemas);
	cr_expect_str_eq(
		sw_json_str(sw_json_key(sw_json_key(sw_json_key(schemas, "io.k8s.api.core.v1.PodSpec"), "properties"),
					"containers"),
			    "description"),
		"The programs that run side by side in the pod.");
	json_object_put(doc);
	sw_buf_init(&b, 4 << 20);
	cr_expect_not(sw_openapi_document(&b, s, SW_SERVE_MANAGER, "apps", "v1"));
	sw_buf_fini(&b);
	sw_schema_free(s);
	no_leaks();
}

Test(resources, are_found_by_every_name)
{
	const struct sw_resource *jobs = sw_resource_by_id("jobs.batch"),
				 *new_events = sw_resource_by_id("events.events.k8s.io");
	char buf[96];
	json_t *e;

	cr_expect_eq(sw_resource_find(SW_SERVE_MANAGER, "batch", "v1", "jobs"), jobs);
	cr_expect_eq(sw_resource_by_kind(SW_SERVE_WORKER, "batch", "v1", "Job"), jobs);
	cr_expect_eq(sw_resource_of("batch/v1", "Job"), jobs);
	cr_expect_str_eq(sw_resource_api_version(jobs, buf), "batch/v1");
	cr_expect_null(sw_resource_find(SW_SERVE_MANAGER, "", "v1", "nodes"));
	cr_expect_not_null(sw_resource_find(SW_SERVE_WORKER, "", "v1", "nodes"));
	cr_expect_null(sw_resource_of("batch/v1beta1", "Job"));
	cr_expect_null(sw_resource_of("batch", "Job"));
	cr_expect_null(sw_resource_of("", ""));
	cr_expect_eq(sw_resource_sub(jobs, "status"), SW_SUB_STATUS);
	cr_expect_eq(sw_resource_sub(jobs, "log"), 0);
	cr_expect_eq(sw_resource_sub(jobs, "nope"), 0);
	cr_expect(sw_resource_has_group(SW_SERVE_MANAGER, "batch", NULL));
	cr_expect_not(sw_resource_has_group(SW_SERVE_MANAGER, "batch", "v2"));
	cr_expect_str_eq(sw_resource_storage(new_events)->id, "events");
	cr_expect_eq(sw_resource_storage(jobs), jobs);
	e = json_of("{'apiVersion':'events.k8s.io/"
		    "v1','kind':'Event','regarding':{'name':'j'},'note':'n','reportingController':'c'}");
	sw_resource_to_storage(new_events, e);
	same_json("stored", json_object_get(e),
		  json_of("{'apiVersion':'v1','kind':'Event','involvedObject':{'name':'j'},'message':'n','"
			  "reportingComponent':'c'}"));
	sw_resource_from_storage(new_events, e);
	same_json("served", e,
		  json_of("{'apiVersion':'events.k8s.io/"
			  "v1','kind':'Event','regarding':{'name':'j'},'note':'n','reportingController':'c'}"));
	no_leaks();
}

Test(status, says_it_in_the_words_of_the_real_server)
{
	const struct sw_resource *jobs = sw_resource_by_id("jobs.batch"), *pods = sw_resource_by_id("pods");
	struct sw_causes none = {0};
	json_t *o;

	refused("404", sw_status_not_found(jobs, "j2"), 404, "jobs.batch \"j2\" not found");
	refused("ns", sw_status_namespace_missing("x"), 404, "namespaces \"x\" not found");
	refused("exists", sw_status_exists(jobs, "j2", false), 409, "jobs.batch \"j2\" already exists");
	refused("going", sw_status_exists(jobs, "j2", true), 409,
		"object is being deleted: jobs.batch \"j2\" already exists");
	refused("conflict", sw_status_conflict(jobs, "j1", NULL), 409,
		"Operation cannot be fulfilled on jobs.batch \"j1\": the object has been modified; "
		"please apply your changes to the latest version and try again");
	refused("cluster", sw_status_forbidden(jobs, "", "eve", "list", NULL, ""), 403,
		"jobs.batch is forbidden: User \"eve\" cannot list resource \"jobs\" in API group \"batch\" at the "
		"cluster scope");
	refused("log", sw_status_forbidden(pods, "p", "eve", "get", "log", "n"), 403,
		"pods \"p\" is forbidden: User \"eve\" cannot get resource \"pods/log\" in API group \"\" in the "
		"namespace \"n\"");
	refused("disk", sw_status_of(sw_err(SW_E_IO, "the disk is full"), jobs, "j"), 507, "the disk is full");
	refused("missing", sw_status_of(sw_err(SW_E_MISSING, "x"), jobs, "j"), 404, "jobs.batch \"j\" not found");
	cr_expect_null(sw_status_invalid(jobs, "j", &none));
	o = sw_status_success(jobs, "j", "u");
	same_json("success", o,
		  json_of("{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Success','details':{'name':'j','"
			  "group':'batch','kind':'jobs','uid':'u'}}"));
	no_leaks();
}
