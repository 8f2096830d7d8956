/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spillway/config.h"
#include "spillway/text.h"

static struct sw_config *good(const char *text)
{
	struct sw_config *c;
	struct sw_err e = sw_config_parse("s.yaml", text, strlen(text), &c);
	cr_assert(!sw_failed(e), "%s", e.text);
	return c;
}

Test(config, an_empty_file_gives_the_defaults)
{
	struct sw_config *c = good("");
	cr_assert_str_eq(c->listen, "127.0.0.1:6443");
	cr_assert_eq(c->resync_ms, 600000);
	cr_assert_eq(c->lost, SW_LOST_HOLD);
	cr_assert_eq(c->max_price_hour, 0, "nothing may be bought unless somebody says so");
	cr_assert_eq(c->log_level, SW_LOG_INFO);
	cr_assert_not(c->log_json);
	cr_assert_eq(c->n_clusters, 0);
	sw_config_free(c);
}

Test(config, settings_and_clusters_are_read)
{
	struct sw_config *c = good("listen: 0.0.0.0:443\nlog: {level: off, format: json}\nburst:\n  "
				   "max_price_per_hour: 12.5\n  idle_release: 90s\n"
				   "dispatch: {lost: duplicate}\nclusters:\n- name: onprem\n  kubeconfig: k/on.yaml\n- "
				   "name: gke\n  provider: sim\n"
				   "  kubeconfig: /abs\n  burst: true\n  region: us\n  options: {a: 1}\n");
	cr_assert_eq(c->log_level, SW_LOG_OFF);
	cr_assert(c->log_json);
	cr_assert_eq(c->idle_release_ms, 90000);
	cr_assert_float_eq(c->max_price_hour, 12.5, 0);
	cr_assert_eq(c->lost, SW_LOST_DUPLICATE);
	cr_assert_eq(c->n_clusters, 2);
	cr_assert_str_eq(c->clusters[0].kubeconfig, "k/on.yaml");
	cr_assert_str_eq(c->clusters[0].provider, "static");
	cr_assert_str_eq(c->clusters[0].where, "s.yaml:8:3");
	cr_assert(c->clusters[1].burst);
	cr_assert_eq(sw_json_int(c->clusters[1].options, "a", 0), 1);
	sw_config_free(c);
}

static const struct {
	const char *text, *says;
} bad[] = {
	{"listn: x\n", "s.yaml:1:1: there is no setting \"listn\", did you mean \"listen\"?"},
	{"log:\n  levl: info\n", "s.yaml:2:3: there is no setting \"log.levl\", did you mean \"log.level\"?"},
	{"log: {level: infos}\n",
	 "s.yaml:1:7: log.level: found \"infos\", expected one of debug, info, warn, error, off (did you mean info?)"},
	{"log: info\n", "s.yaml:1:1: log: expected a map"},
	{"burst:\n  idle_release: soon\n", "s.yaml:2:3: burst.idle_release: found \"soon\", expected a duration"},
	{"burst: {idle_release: 10}\n", "expected a duration like 90s"},
	{"burst: {max_price_per_hour: -1}\n", "burst.max_price_per_hour: found -1, expected USD per hour from 0"},
	{"burst: {max_price_per_hour: .nan}\n", "expected USD per hour"},
	{"dispatch: {requests_per_cluster: 0}\n", "expected a whole number from 1 to 1024"},
	{"dispatch: {requests_per_cluster: 99999999999999999999}\n", "expected a whole number from 1 to 1024"},
	{"policy: {memory: 1}\n", "policy.memory: found 1, expected a size like 8Mi from 256Ki to 1Gi"},
	{"listen: 1\n", "listen: found 1, expected text"},
	{"listen: ~\n", "listen: found nothing, expected text"},
	{"clusters: {}\n", "clusters: expected a list"},
	{"clusters: [x]\n", "expected a list of maps"},
	{"clusters: [{kubeconfig: a}]\n", "name: found \"\""},
	{"clusters: [{name: A, kubeconfig: a}]\n", "s.yaml:1:12: name: found \"A\", expected lower-case"},
	{"clusters: [{name: a}]\n", "kubeconfig is missing"},
	{"clusters: [{name: a, kubeconfig: x, provider: gkee}]\n",
	 "there is no provider \"gkee\", expected static or sim"},
	{"clusters: [{name: a, kubeconfig: x, provider: simm}]\n", "did you mean \"sim\"?"},
	{"clusters: [{name: a, kubeconfig: x}, {name: a, kubeconfig: y}]\n",
	 "a second cluster named \"a\" (the first is at s.yaml:1:12)"},
	{"clusters: [{name: a, kubeconfig: x, kubconfig: y}]\n", "did you mean \"kubeconfig\"?"},
	{"clusters: [{name: a, kubeconfig: x, burst: yes please}]\n", "expected true or false"},
	{"bootstrap: [/nonexistent/queue.yaml]\n", "/nonexistent/queue.yaml"},
	{"companions: {}\n", "s.yaml:1:1: companions: found { }, expected a list of maps"},
	{"companions: [{namespace: a, allow: secret/x}]\n", "expected a list of secret/NAME"},
	{"companions: [{namespace: A, allow: []}]\n", "found A, expected the name of a namespace"},
	{"companions: [{allow: []}]\n", "found nothing, expected the name of a namespace"},
	{"companions: [{namespace: a, allow: [secrets/x]}]\n",
	 "found secrets/x, expected secret/NAME or configmap/NAME"},
	{"companions: [{namespace: a, allow: [secret/*x]}]\n", "found secret/*x"},
	{"companions: [{namespace: a, alow: []}]\n", "found alow, expected namespace or allow"},
	{"listen: a\nlisten: b\n", "s.yaml:2:1: found key \"listen\" twice"},
	{"- a\n", "expected a map of settings"},
	{"a: 1\n---\nb: 2\n", "2 YAML documents"},
};

Test(config, what_is_wrong_is_named_with_its_place_and_the_nearest_name)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sw_config *c;
		struct sw_err e = sw_config_parse("s.yaml", bad[i].text, strlen(bad[i].text), &c);
		cr_expect_eq(e.code == SW_E_OK, 0, "row %zu was accepted", i);
		cr_expect(strstr(e.text, bad[i].says), "row %zu: %s", i, e.text);
		cr_expect_null(c);
	}
}

Test(config, the_example_file_is_read_back_as_the_defaults)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	sw_config_example(to);
	fclose(to);
	struct sw_config *c = good(text), *d = good("");
	char *a = NULL, *b = NULL;
	size_t na, nb;
	FILE *fa = open_memstream(&a, &na), *fb = open_memstream(&b, &nb);
	sw_config_print(c, fa, false);
	sw_config_print(d, fb, false);
	fclose(fa);
	fclose(fb);
	char *la = a, *lb = b; /* origins differ, values may not */
	while (*la && *lb) {
		cr_expect(strncmp(la, lb, 58) == 0, "%.58s differs from %.58s", la, lb);
		la = strchr(la, '\n') + 1;
		lb = strchr(lb, '\n') + 1;
	}
	cr_assert(!*la && !*lb);
	free(a);
	free(b);
	free(text);
	sw_config_free(c);
	sw_config_free(d);
}

Test(config, only_what_is_allowed_may_be_sent_to_workers)
{
	static const struct {
		const char *ns, *word, *name;
		bool may;
	} asked[] = {
		{"a", "secret", "pull", true},  {"a", "secret", "pull2", false}, {"a", "configmap", "pull", false},
		{"b", "secret", "pull", false}, {"a", "configmap", "p-1", true}, {"a", "configmap", "p", false},
		{"a", "configmap", "p-", true}, {"b", "secret", "any", true},    {"c", "secret", "any", false},
	};
	struct sw_config *c = good("companions:\n- {namespace: a, allow: [secret/pull, \"configmap/p-*\"]}\n"
				   "- {namespace: b, allow: [secret/any]}\n"),
			 *none = good("");
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		cr_expect_eq(sw_config_may_send(c, asked[i].ns, asked[i].word, asked[i].name), asked[i].may, "row %zu",
			     i);
		cr_expect_not(sw_config_may_send(none, asked[i].ns, asked[i].word, asked[i].name), "row %zu", i);
	}
	sw_config_free(c);
	sw_config_free(none);
}

/* ---- clusters_dir ------------------------------------------------------------------------ */

static void put_file(const char *dir, const char *name, const char *text)
{
	char *path = sw_asprintf("%s/%s", dir, name);
	struct sw_err e = sw_file_write(path, text, strlen(text), 0600);
	cr_assert(!sw_failed(e), "%s", e.text);
	free(path);
}

static void remove_file(const char *dir, const char *name)
{
	char *path = sw_asprintf("%s/%s", dir, name);
	unlink(path);
	free(path);
}

Test(config, a_folder_adds_a_cluster_per_file)
{
	static const struct {
		const char *name, *text, *error; /* error NULL: good */
	} rows[] = {
		{"gke.yaml", "", NULL},
		{"gke.yaml", "worker: kueue\nregion: us\n", NULL},
		{"gke.yaml", "name: other\n", NULL},
		{".hidden.yaml", "[", NULL},
		{"gke.kubeconfig", "[", NULL},
		{"gke.yaml", "worker: kuee\n", "worker: found \"kuee\", expected plain or kueue"},
		{"gke.yaml", "- name: x\n", "expected a list of maps"},
		{"gke.yaml", "a: 1\n---\nb: 2\n", "expected one cluster"},
		{"gke.yaml", "kubconfig: x\n", "did you mean \"kubeconfig\""},
		{"onprem.yaml", "", "a second cluster named \"onprem\""},
		{"UPPER.yaml", "", "expected lower-case letters"},
	};
	char dir[] = "/tmp/spillway-clusters-XXXXXX";
	cr_assert(mkdtemp(dir));
	char *text = sw_asprintf("clusters_dir: %s\nclusters: [{name: onprem, kubeconfig: k}]\n", dir);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_config *c;
		put_file(dir, rows[i].name, rows[i].text);
		struct sw_err e = sw_config_parse("s.yaml", text, strlen(text), &c);
		if (rows[i].error)
			cr_expect(sw_failed(e) && strstr(e.text, rows[i].error), "row %zu: %s", i, e.text);
		else
			cr_expect_not(sw_failed(e), "row %zu: %s", i, e.text);
		sw_config_free(c);
		remove_file(dir, rows[i].name);
	}
	free(text);
	rmdir(dir);
}

Test(config, a_file_of_the_folder_names_cluster_and_kubeconfig)
{
	char dir[] = "/tmp/spillway-clusters-XXXXXX";
	cr_assert(mkdtemp(dir));
	char *text = sw_asprintf("clusters_dir: %s\n", dir), *kubeconfig = sw_asprintf("%s/b.kubeconfig", dir);
	put_file(dir, "b.yaml", "");
	put_file(dir, "a.yaml", "kubeconfig: /k\nworker: kueue\noptions: {x: 1}\n");
	struct sw_config *c = good(text);
	cr_assert_eq(c->n_clusters, 2);
	cr_assert_str_eq(c->clusters[0].name, "a");
	cr_assert_str_eq(c->clusters[0].kubeconfig, "/k");
	cr_assert_str_eq(c->clusters[0].worker, "kueue");
	cr_assert_eq(sw_json_int(c->clusters[0].options, "x", 0), 1);
	cr_assert_str_eq(c->clusters[1].name, "b");
	cr_assert_str_eq(c->clusters[1].kubeconfig, kubeconfig);
	sw_config_free(c);
	remove_file(dir, "a.yaml");
	remove_file(dir, "b.yaml");
	free(text);
	free(kubeconfig);
	rmdir(dir);
	c = good("clusters_dir: /does/not/exist\n");
	cr_assert_eq(c->n_clusters, 0, "a folder that nobody made yet is empty");
	sw_config_free(c);
}

Test(config, one_file_of_the_folder_is_read_by_itself)
{
	static const struct {
		const char *text, *says; /* NULL: it is good */
	} rows[] = {
		{"", NULL},
		{"worker: kueue\nregion: cern\n", NULL},
		{"worker: kueu\n", "found \"kueu\", expected plain or kueue"},
		{"wroker: kueue\n", "r.yaml:1:1: a cluster has no setting \"wroker\", did you mean \"worker\"?"},
		{"- a\n", "expected a list of maps"},
		{"a: [\n", "r.yaml:2"},
		{"worker: kueue\n---\nworker: plain\n", "found 2 YAML documents"},
		{"name: UPPER\n", "found \"UPPER\""},
		{"\x01\x02", "r.yaml"},
	};
	char dir[] = "/tmp/spillway-cluster-XXXXXX";
	cr_assert(mkdtemp(dir));
	char *path = sw_asprintf("%s/r.yaml", dir);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sw_cluster_cfg *cl;
		put_file(dir, "r.yaml", rows[i].text);
		struct sw_err e = sw_cluster_read(path, &cl);
		if (rows[i].says)
			cr_expect(sw_failed(e) && strstr(e.text, rows[i].says) && !cl, "row %zu: %s", i, e.text);
		else
			cr_expect(!sw_failed(e) && strcmp(cl->name, "r") == 0, "row %zu: %s", i, e.text);
		sw_cluster_free(cl);
	}
	remove_file(dir, "r.yaml");
	struct sw_cluster_cfg *gone;
	cr_expect(sw_failed(sw_cluster_read(path, &gone)));
	free(path);
	rmdir(dir);
}

Test(config, clusters_are_the_same_by_what_they_say_not_by_where_they_stand)
{
	struct sw_cluster_cfg a = {.name = "a",
				   .provider = "static",
				   .worker = "plain",
				   .kubeconfig = "/k",
				   .region = ""},
			      b = a;
	b.where = "elsewhere:1:1";
	cr_expect(sw_cluster_same(&a, &b));
	b.region = "cern";
	cr_expect_not(sw_cluster_same(&a, &b));
	b = a;
	b.context = "other";
	cr_expect_not(sw_cluster_same(&a, &b));
	b = a;
	b.options = json_object_new_object();
	cr_expect_not(sw_cluster_same(&a, &b));
	json_object_put(b.options);
}
