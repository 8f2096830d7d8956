/* SPDX-License-Identifier: Apache-2.0 */
/* test_doctor.c - checks over made-up facts: a good site, and each thing broken in turn */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../../gateway/cli/doctor/doctor.h"
#include "spillway/config.h"
#include "spillway/text.h"

static const int64_t now_ms = 1795467600000; /* 2026-11-24T09:00:00Z */

struct site {
	struct doctor_site s;
	struct doctor_cluster c[2];
};

static void open_site(struct site *t, unsigned manager, unsigned worker)
{
	*t = (struct site){.s = {.origin = "", .now_ms = now_ms, .n_clusters = 2}};
	t->s.clusters = t->c;
	t->s.findings = json_object_new_array();
	t->c[0] = (struct doctor_cluster){.name = "manager", .scope = manager};
	t->c[1] = (struct doctor_cluster){.name = "w1", .scope = worker};
}

static void close_site(struct site *t)
{
	for (int i = 0; i < 2; i++)
		doctor_cluster_fini(&t->c[i]);
	json_object_put(t->s.findings);
}

static void fact(struct doctor_cluster *c, const char *id, const char *json)
{
	json_t *o;
	struct sw_err e = sw_json_parse(json, strlen(json), &o);
	cr_assert(!sw_failed(e), "%s: %s", id, e.text);
	doctor_fact_add(c, id, SW_OK, o);
}

/* The findings of one check as "level;level", and whether `needle` is in one of them. */
static const char *levels(struct site *t, const char *check, char buf[128])
{
	*buf = '\0';
	for (size_t i = 0; i < sw_json_len(t->s.findings); i++) {
		json_t *row = sw_json_idx(t->s.findings, i);
		if (strcmp(sw_json_str(row, "check"), check) != 0)
			continue;
		snprintf(buf + strlen(buf), 128 - strlen(buf), "%s%s", *buf ? ";" : "", sw_json_str(row, "level"));
	}
	return buf;
}

static bool says(struct site *t, const char *needle)
{
	return strstr(json_object_to_json_string_ext(t->s.findings, JSON_C_TO_STRING_NOSLASHESCAPE), needle) != NULL;
}

#define CHECKS                                                                                                         \
	"{\"items\":[{\"metadata\":{\"name\":\"spillway\"},\"spec\":{\"controllerName\":\"spillway.dev/dispatch\"},"   \
	"\"status\":{\"conditions\":[{\"type\":\"Active\",\"status\":\"True\"}]}},{\"metadata\":{\"name\":\"mk\"},"    \
	"\"spec\":{\"controllerName\":\"kueue.x-k8s.io/multikueue\"}}]}"
#define CQ(name, checks)                                                                                               \
	"{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"admissionChecksStrategy\":{\"admissionChecks\":[" checks    \
	"]}}}"
#define CQ_FLAVOR(name, checks, flavor)                                                                                \
	"{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"resourceGroups\":[{\"flavors\":[{\"name\":\"" flavor        \
	"\"}]}],\"admissionChecksStrategy\":{\"admissionChecks\":[" checks "]}}}"
#define FLAVORS                                                                                                        \
	LIST("{\"metadata\":{\"name\":\"racks\"},\"spec\":{\"topologyName\":\"dc\"}},"                                 \
	     "{\"metadata\":{\"name\":\"any\"},\"spec\":{}}")
#define OURS "{\"name\":\"spillway\"}"
#define LQ(name, labels, cq)                                                                                           \
	"{\"metadata\":{\"namespace\":\"team\",\"name\":\"" name "\",\"labels\":{" labels "}},\"spec\":{"              \
	"\"clusterQueue\":\"" cq "\"}}"
#define LABEL       "\"spillway.dev/dispatch\":\"true\""
#define LIST(items) "{\"items\":[" items "]}"

/* ---- queues ---------------------------------------------------------------------------- */

Test(doctor, queues_are_good_or_say_what_is_wrong)
{
	static const struct {
		const char *cqs, *lqs, *levels, *says;
	} rows[] = {
		{LIST(CQ("a", OURS)), LIST(LQ("q", LABEL, "a")), "ok", "1 ClusterQueues, 1 LocalQueues"},
		{LIST(CQ("a", OURS)), LIST(LQ("q", "", "a")), "fail",
		 "kubectl -n team label localqueue q spillway.dev/dispatch=true"},
		{LIST(CQ("a", OURS) "," CQ("b", "")), LIST(LQ("q", LABEL, "a") "," LQ("r", LABEL, "b")), "fail",
		 "its jobs would run nowhere"},
		{LIST(CQ("a", OURS ",{\"name\":\"mk\"}")), LIST(LQ("q", LABEL, "a")), "fail", "sent twice"},
		{LIST(CQ_FLAVOR("a", OURS, "racks")), LIST(LQ("q", LABEL, "a")), "fail",
		 "its flavor racks has a topologyName"},
		{LIST(CQ_FLAVOR("a", OURS, "any") "," CQ_FLAVOR("b", "", "racks")), LIST(LQ("q", LABEL, "a")), "ok",
		 "1 ClusterQueues, 1 LocalQueues"},
		{LIST(CQ("a", "")), LIST(""), "warn", "no ClusterQueue names"},
		{LIST(CQ("a", OURS)), LIST(""), "warn", "no LocalQueue leads"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site t;
		char buf[128];
		open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
		fact(&t.c[0], "list admissionchecks", CHECKS);
		fact(&t.c[0], "list clusterqueues", rows[i].cqs);
		fact(&t.c[0], "list resourceflavors", FLAVORS);
		fact(&t.c[0], "list localqueues", rows[i].lqs);
		doctor_check_queues(&t.s, &t.c[0]);
		cr_expect_str_eq(levels(&t, "queues", buf), rows[i].levels, "row %zu: %s", i, buf);
		cr_expect(says(&t, rows[i].says), "row %zu: %s", i, json_object_to_json_string(t.s.findings));
		close_site(&t);
	}
}

Test(doctor, a_queue_that_a_worker_lacks_is_named)
{
	struct site t;
	char buf[128];
	open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
	fact(&t.c[0], "list admissionchecks", CHECKS);
	fact(&t.c[0], "list clusterqueues", LIST(CQ("a", OURS) "," CQ("b", "")));
	fact(&t.c[0], "list localqueues", LIST(LQ("q", LABEL, "a") "," LQ("r", LABEL, "a") "," LQ("local", "", "b")));
	fact(&t.c[1], "list localqueues", LIST(LQ("q", "", "x")));
	doctor_check_worker_queues(&t.s, &t.c[1]);
	cr_assert_str_eq(levels(&t, "queues", buf), "warn");
	cr_assert(says(&t, "LocalQueue team/r is missing here"));
	close_site(&t);
}

/* ---- jobs --------------------------------------------------------------------------------- */

Test(doctor, jobs_without_managed_by_and_managed_jobs_in_other_queues_are_found)
{
#define JOB(name, queue, spec, status)                                                                                 \
	"{\"metadata\":{\"namespace\":\"team\",\"name\":\"" name                                                       \
	"\",\"labels\":{\"kueue.x-k8s.io/queue-name\":\"" queue "\"}},\"spec\":{" spec "},\"status\":{" status "}}"
#define MANAGED  "\"managedBy\":\"kueue.x-k8s.io/multikueue\""
#define FINISHED "\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\"}]"
	static const struct {
		const char *jobs, *levels, *says;
	} rows[] = {
		{JOB("a", "q", MANAGED, ""), "ok", "1 unfinished"},
		{JOB("a", "q", "", ""), "fail",
		 "1 in spillway's queues have no managedBy and will be rejected: Job team/a"},
		{JOB("a", "q", "", FINISHED), "ok", "0 unfinished"},
		{JOB("a", "local", MANAGED, ""), "warn", "run nowhere: Job team/a"},
		{JOB("a", "local", "", ""), "ok", "1 unfinished"},
		{JOB("a", "nowhere", MANAGED, ""), "ok", "0 unfinished"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site t;
		char buf[128], list[1024];
		open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
		fact(&t.c[0], "list admissionchecks", CHECKS);
		fact(&t.c[0], "list clusterqueues", LIST(CQ("a", OURS) "," CQ("b", "")));
		fact(&t.c[0], "list localqueues", LIST(LQ("q", LABEL, "a") "," LQ("local", "", "b")));
		snprintf(list, sizeof list, "{\"items\":[%s]}", rows[i].jobs);
		fact(&t.c[0], "jobs of jobs.batch", list);
		doctor_check_jobs(&t.s, &t.c[0]);
		cr_expect_str_eq(levels(&t, "jobs", buf), rows[i].levels, "row %zu: %s", i, buf);
		cr_expect(says(&t, rows[i].says), "row %zu: %s", i, json_object_to_json_string(t.s.findings));
		close_site(&t);
	}
}

/* ---- rights -------------------------------------------------------------------------------- */

Test(doctor, every_scope_has_rights_in_the_carried_manifests)
{
	static const struct {
		unsigned scope;
		const char *verb, *resource, *sub, *ns;
		bool listed;
	} rows[] = {
		{DOCTOR_MIRROR, "patch", "workloads", "status", "", true},
		{DOCTOR_MIRROR, "patch", "jobs", "status", "", true},
		{DOCTOR_MIRROR, "update", "leases", "", "spillway-system", true},
		{DOCTOR_MIRROR, "create", "workloads", "", "", false},
		{DOCTOR_NOMINATE, "patch", "workloads", "status", "", true},
		{DOCTOR_NOMINATE, "patch", "jobs", "status", "", false},
		{DOCTOR_PLAIN, "create", "jobs", "", "", true},
		{DOCTOR_PLAIN, "create", "workloads", "", "", false},
		{DOCTOR_KUEUE, "create", "workloads", "", "", true},
		{DOCTOR_KUEUE, "get", "configmaps", "", "spillway-system", true},
		{DOCTOR_KUEUE, "list", "secrets", "", "", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct doctor_cluster c = {.name = "x", .scope = rows[i].scope};
		bool found = false;
		struct sw_err e = doctor_rights_read(&c);
		cr_assert(!sw_failed(e), "%s", e.text);
		for (size_t r = 0; r < c.n_rights; r++)
			found |= strcmp(c.rights[r].verb, rows[i].verb) == 0 &&
				 strcmp(c.rights[r].resource, rows[i].resource) == 0 &&
				 strcmp(c.rights[r].sub, rows[i].sub) == 0 && strcmp(c.rights[r].ns, rows[i].ns) == 0;
		cr_expect_eq(found, rows[i].listed, "row %zu", i);
		doctor_cluster_fini(&c);
	}
}

Test(doctor, a_missing_right_fails_and_one_that_may_be_left_out_warns)
{
	struct site t;
	char buf[128];
	open_site(&t, DOCTOR_MIRROR, DOCTOR_PLAIN);
	fact(&t.c[1], "apis", "{\"groups\":[{\"name\":\"batch\",\"versions\":[{\"version\":\"v1\"}]}]}");
	struct sw_err e = doctor_rights_read(&t.c[1]);
	cr_assert(!sw_failed(e));
	for (size_t i = 0; i < t.c[1].n_rights; i++) {
		struct doctor_right *r = &t.c[1].rights[i];
		bool denied = strcmp(r->group, "kubeflow.org") == 0 || /* not served: nobody misses it */
			      (strcmp(r->resource, "nodes") == 0 && strcmp(r->verb, "patch") == 0) ||
			      (strcmp(r->resource, "jobs") == 0 && strcmp(r->verb, "delete") == 0);
		r->answer = denied ? DOCTOR_MAY_NOT : DOCTOR_MAY;
	}
	doctor_check_rights(&t.s, &t.c[1]);
	cr_assert_str_eq(levels(&t, "rights", buf), "warn;fail");
	cr_assert(says(&t, "may not delete jobs.batch"));
	cr_assert(says(&t, "may not patch nodes: bought nodes cannot be cordoned"));
	cr_assert(says(&t, "kubectl apply -k config/kubernetes/worker/plain"));
	cr_assert_not(says(&t, "kubeflow"));
	close_site(&t);
}

Test(doctor, what_jobs_may_bring_along_asks_for_rights_in_their_namespaces)
{
	static const char text[] = "companions:\n- {namespace: team-a, allow: [secret/pull]}\n"
				   "- {namespace: team-b, allow: ['configmap/p-*']}\n";
	struct sw_config *config;
	struct site t;
	char buf[128];
	struct sw_err e = sw_config_parse("s.yaml", text, strlen(text), &config);
	cr_assert(!sw_failed(e), "%s", e.text);
	open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
	for (int i = 0; i < 2; i++) {
		fact(&t.c[i], "apis", "{\"groups\":[]}");
		e = doctor_companion_rights(&t.c[i], config);
		cr_assert(!sw_failed(e), "%s", e.text);
		for (size_t r = 0; r < t.c[i].n_rights; r++)
			t.c[i].rights[r].answer =
				strcmp(t.c[i].rights[r].verb, "create") == 0 || i == 0 ? DOCTOR_MAY_NOT : DOCTOR_MAY;
		doctor_check_rights(&t.s, &t.c[i]);
	}
	cr_expect_eq(t.c[0].n_rights, 2);
	cr_expect_eq(t.c[1].n_rights, 6);
	cr_expect_str_eq(levels(&t, "rights", buf), "warn;warn;ok;warn;warn;ok");
	cr_expect(says(&t, "may not get secrets in team-a: what jobs there bring along"));
	cr_expect(says(&t, "on manager: kubectl -n team-b apply -k config/kubernetes/mirror/companions"));
	cr_expect(says(&t, "may not create configmaps in team-b"));
	cr_expect(says(&t, "on w1: kubectl -n team-a apply -k config/kubernetes/worker/companions"));
	close_site(&t);
	sw_config_free(config);
}

/* ---- credentials and clocks -------------------------------------------------------------------- */

Test(doctor, the_end_of_a_token_is_read_from_it)
{
	static const struct {
		const char *authorization;
		int64_t expires_ms;
	} rows[] = {
		/* {"exp":1795467600} */
		{"Bearer e30.eyJleHAiOjE3OTU0Njc2MDB9.sig", 1795467600000},
		{"Bearer opaque", 0},
		{"Bearer a.b.c", 0},
		{"Bearer ..", 0},
		{"Bearer e30.eyJleHAiOiJ4In0.sig", 0}, /* {"exp":"x"} */
		{"Bearer e30.eyJleHAiOi0xfQ.sig", 0},  /* {"exp":-1} */
		{"Basic eDp5", 0},
		{NULL, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(doctor_credential_read(rows[i].authorization, NULL).expires_ms, rows[i].expires_ms,
			     "row %zu", i);
	cr_expect_eq(doctor_credential_read(NULL, "no certificate").expires_ms, 0);
}

Test(doctor, credentials_that_end_soon_warn_unless_they_renew_themselves)
{
	static const struct {
		int64_t left_ms;
		bool renews;
		const char *level;
	} rows[] = {
		{-1000, false, "fail"},
		{3600 * 1000, false, "warn"},
		{3600 * 1000, true, "ok"},
		{(int64_t)30 * 86400 * 1000, false, "ok"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site t;
		char buf[128];
		open_site(&t, DOCTOR_MIRROR, DOCTOR_PLAIN);
		t.c[1].credential = (struct doctor_credential){"token", now_ms + rows[i].left_ms, rows[i].renews};
		doctor_check_credential(&t.s, &t.c[1]);
		cr_expect_str_eq(levels(&t, "credentials", buf), rows[i].level, "row %zu", i);
		close_site(&t);
	}
}

Test(doctor, clocks_that_differ_are_told)
{
	static const struct {
		int64_t ahead_ms;
		const char *level;
	} rows[] = {{0, "ok"}, {-4000, "ok"}, {6000, "warn"}, {-59000, "warn"}, {61000, "fail"}, {-3600000, "fail"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site t;
		char buf[128];
		open_site(&t, DOCTOR_MIRROR, DOCTOR_PLAIN);
		t.c[0].told_time = true;
		t.c[0].ahead_ms = rows[i].ahead_ms;
		doctor_check_clock(&t.s, &t.c[0]);
		cr_expect_str_eq(levels(&t, "clock", buf), rows[i].level, "row %zu", i);
		close_site(&t);
	}
}

/* ---- Kueue ------------------------------------------------------------------------------------- */

Test(doctor, the_policy_must_be_there_and_bound_or_the_webhook_be)
{
#define POLICIES                                                                                                       \
	LIST("{\"metadata\":{\"name\":\"spillway-managed-by\"}},{\"metadata\":{\"name\":\"spillway-managed-by-"        \
	     "training\"}},{\"metadata\":{\"name\":\"spillway-topology\"}}")
#define BINDINGS                                                                                                       \
	LIST("{\"spec\":{\"policyName\":\"spillway-managed-by\"}},{\"spec\":{\"policyName\":\"spillway-managed-by-"    \
	     "training\"}},{\"spec\":{\"policyName\":\"spillway-topology\"}}")
	static const struct {
		const char *policies, *bindings, *webhooks, *levels;
	} rows[] = {
		{POLICIES, BINDINGS, LIST(""), "ok"},
		{POLICIES, LIST("{\"spec\":{\"policyName\":\"spillway-managed-by\"}}"), LIST(""), "fail;fail"},
		{LIST(""), LIST(""), LIST(""), "fail;fail;fail"},
		{NULL, NULL, LIST("{\"metadata\":{\"name\":\"spillway-managed-by\"}}"), "ok"},
		{NULL, NULL, LIST(""), "fail"},
		{NULL, NULL, NULL, "warn"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site t;
		char buf[128];
		open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
		if (rows[i].policies)
			fact(&t.c[0], "list policies", rows[i].policies);
		if (rows[i].bindings)
			fact(&t.c[0], "list bindings", rows[i].bindings);
		if (rows[i].webhooks)
			fact(&t.c[0], "list webhooks", rows[i].webhooks);
		doctor_check_policy(&t.s, &t.c[0]);
		cr_expect_str_eq(levels(&t, "admission policy", buf), rows[i].levels, "row %zu: %s", i, buf);
		close_site(&t);
	}
}

Test(doctor, kueue_version_is_read_from_its_image)
{
	static const struct {
		const char *image, *level, *says;
	} rows[] = {
		{"registry.k8s.io/kueue/kueue:v0.19.2", "ok", "v0.19.2"},
		{"localhost:5000/kueue:v0.18.4@sha256:abcd", "ok", "v0.18.4"},
		{"registry.k8s.io/kueue/kueue:v0.14.1", "warn", "v0.14.1"},
		{"registry/kueue@sha256:abcd", "warn", "not known"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site t;
		char buf[128], text[512];
		open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
		snprintf(text, sizeof text,
			 "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"%s\"}]}}}}", rows[i].image);
		fact(&t.c[0], "kueue's deployment", text);
		doctor_check_kueue_version(&t.s, &t.c[0]);
		cr_expect_str_eq(levels(&t, "Kueue", buf), rows[i].level, "row %zu", i);
		cr_expect(says(&t, rows[i].says), "row %zu: %s", i, json_object_to_json_string(t.s.findings));
		close_site(&t);
	}
}

Test(doctor, the_nominate_role_says_how_kueue_must_be_configured)
{
	static const struct {
		const char *config, *level, *says;
	} rows[] = {
		{"multiKueue:\\n  dispatcherName: spillway.dev/dispatcher\\n", "ok", "by apply as kueue-admission"},
		{"multiKueue: {dispatcherName: spillway.dev/dispatcher}\\nfeatureGates: {WorkloadRequestUseMergePatch: "
		 "true}",
		 "ok", "by patch (Kueue patches too)"},
		{"multiKueue: {}\\n", "fail", "{dispatcherName: spillway.dev/dispatcher}"},
		{": not: yaml: [", "warn", "could not be read"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site t;
		char buf[128], text[512];
		open_site(&t, DOCTOR_NOMINATE, DOCTOR_KUEUE);
		snprintf(text, sizeof text, "{\"data\":{\"controller_manager_config.yaml\":\"%s\"}}", rows[i].config);
		fact(&t.c[0], "kueue's configuration", text);
		doctor_check_nomination(&t.s, &t.c[0]);
		cr_expect_str_eq(levels(&t, "nomination", buf), rows[i].level, "row %zu", i);
		cr_expect(says(&t, rows[i].says), "row %zu: %s", i, json_object_to_json_string(t.s.findings));
		close_site(&t);
	}
}

/* ---- claims ---------------------------------------------------------------------------------------- */

Test(doctor, a_worker_claimed_by_another_installation_fails)
{
	static const struct {
		const char *origin, *claimed, *level;
	} rows[] = {
		{"me", "me", "ok"},
		{"me", "them", "fail"},
		{"", "somebody", "ok"}, /* not known here: the first claimed worker says it */
		{"me", "", "fail"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct site t;
		char buf[128], text[128];
		open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
		t.s.origin = rows[i].origin;
		snprintf(text, sizeof text, "{\"data\":{\"origin\":\"%s\"}}", rows[i].claimed);
		fact(&t.c[1], "claim", text);
		doctor_check_claim(&t.s, &t.c[1]);
		cr_expect_str_eq(levels(&t, "claim", buf), rows[i].level, "row %zu", i);
		close_site(&t);
	}
}

Test(doctor, a_cluster_out_of_reach_is_not_checked_further)
{
	struct site t;
	open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
	t.s.n_clusters = 1;
	t.c[0].unreachable = sw_err(SW_E_NET, "no route");
	doctor_check_all(&t.s);
	cr_assert_eq(sw_json_len(t.s.findings), 1);
	cr_assert(says(&t, "no route"));
	close_site(&t);
}

Test(doctor, nothing_known_is_not_taken_for_good)
{
	struct site t;
	open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
	doctor_check_all(&t.s); /* no facts at all: no crash, and no "ok" for what was not seen */
	cr_assert_not(says(&t, "sets managedBy on jobs"));
	close_site(&t);
}

Test(doctor, a_worker_that_is_only_looked_at_is_asked_for_no_more)
{
	struct site t;
	open_site(&t, DOCTOR_NOMINATE, DOCTOR_SEEN);
	cr_assert(!sw_failed(doctor_rights_read(&t.c[1])));
	cr_expect_gt(t.c[1].n_rights, 0);
	for (size_t i = 0; i < t.c[1].n_rights; i++) {
		const struct doctor_right *r = &t.c[1].rights[i];
		bool reads =
			strcmp(r->verb, "get") == 0 || strcmp(r->verb, "list") == 0 || strcmp(r->verb, "watch") == 0;
		cr_expect(reads && strcmp(r->resource, "secrets") != 0, "%s %s", r->verb, r->resource);
	}
	size_t before;
	cr_assert(!sw_failed(doctor_rights_read(&t.c[0])));
	before = t.c[0].n_rights;
	t.c[0].imports = true;
	cr_assert(!sw_failed(doctor_rights_read(&t.c[0])));
	cr_expect_gt(t.c[0].n_rights, 2 * before, "the Secrets of MultiKueue's clusters besides");
	close_site(&t);
}

Test(doctor, a_manager_that_could_not_even_be_asked_has_no_command_that_asks_it)
{
	struct site t;
	open_site(&t, DOCTOR_MIRROR, DOCTOR_KUEUE);
	t.c[0].unreachable = sw_err(SW_E_INVALID, "manager.kubeconfig is empty");
	t.c[1].unreachable = sw_err(SW_E_TIMEOUT, "no answer");
	doctor_check_reach(&t.s, &t.c[0]);
	doctor_check_reach(&t.s, &t.c[1]);
	cr_expect_null(sw_json_str(sw_json_idx(t.s.findings, 0), "mend"));
	cr_expect_str_eq(sw_json_str(sw_json_idx(t.s.findings, 1), "mend"),
			 "kubectl --kubeconfig FILE get --raw /version");
	close_site(&t);
}
