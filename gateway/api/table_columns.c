/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_columns.c - the columns of each kind and what goes in them
 *
 * The rules are those of the real printers, so that eyes and scripts find what they know.
 * Sources: k8s.io/kubernetes v1.36.1 pkg/printers/internalversion/printers.go; additionalPrinterColumns of the
 * CRDs of Kueue 0.19.2 and of the training operator 1.9.3.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "spillway/text.h"
#include "table_priv.h"

#define COLUMNS(id, fn, ...)                                                                                           \
	static const struct sw_column cols_##id[] = {__VA_ARGS__};                                                     \
	const struct sw_columns sw_columns_##id = {cols_##id, sizeof(cols_##id) / sizeof(cols_##id[0]), fn}
#define NAME                                                                                                           \
	{                                                                                                              \
		"Name", "string", "name", 0                                                                            \
	}
#define STR(name)                                                                                                      \
	{                                                                                                              \
		name, "string", "", 0                                                                                  \
	}
#define WIDE(name)                                                                                                     \
	{                                                                                                              \
		name, "string", "", 1                                                                                  \
	}
#define INT(name)                                                                                                      \
	{                                                                                                              \
		name, "integer", "", 0                                                                                 \
	}
#define AGE                                                                                                            \
	{                                                                                                              \
		"Age", "string", "", 0                                                                                 \
	}

/* ---- small writers ----------------------------------------------------------------------------- */

static void put_name(struct sw_buf *b, json_t *o)
{
	const char *name = sw_json_str(o, "metadata.name");

	sw_buf_json_str(b, name ? name : "");
}

/* A comma and a string; absent is `otherwise`. */
static void put_str(struct sw_buf *b, const char *s, const char *otherwise)
{
	sw_buf_putc(b, ',');
	sw_buf_json_str(b, s && *s ? s : otherwise);
}

static bool since(const char *when, int64_t now_ms, char buf[32])
{
	int64_t ms;

	if (!when || sw_failed(sw_time_parse(when, &ms)))
		return false;
	sw_age_text(now_ms - ms, buf);
	return true;
}

static void put_since(struct sw_buf *b, const char *when, int64_t now_ms)
{
	char age[32];

	put_str(b, since(when, now_ms, age) ? age : NULL, "<unknown>");
}

static void put_age(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	put_since(b, sw_json_str(o, "metadata.creationTimestamp"), now_ms);
}

/* An integer column of a CRD: absent is null, as the real server prints it. */
static void put_int_at(struct sw_buf *b, json_t *o, const char *path)
{
	json_t *v = sw_json_at(o, path);

	sw_buf_putc(b, ',');
	if (v && json_object_is_type(v, json_type_int))
		sw_buf_printf(b, "%lld", (long long)json_object_get_int64(v));
	else
		sw_buf_puts(b, "null");
}

static void put_condition(struct sw_buf *b, json_t *o, const char *type)
{
	put_str(b, sw_json_str(sw_json_condition(o, type), "status"), "");
}

static size_t count_of(json_t *o, const char *key)
{
	json_t *m = sw_json_key(o, key);

	return m && json_object_is_type(m, json_type_object) ? (size_t)json_object_object_length(m) : 0;
}

/* "a,b,c" of one field of each container */
static void put_containers(struct sw_buf *b, json_t *containers, const char *field)
{
	struct sw_buf text;

	sw_buf_init(&text, 1 << 20);
	for (size_t i = 0; i < sw_json_len(containers); i++) {
		const char *s = sw_json_str(sw_json_idx(containers, i), field);

		sw_buf_printf(&text, "%s%s", i ? "," : "", s ? s : "");
	}
	put_str(b, text.at, "");
	sw_buf_fini(&text);
}

/* ---- generic and the small kinds --------------------------------------------------------------- */

static void generic_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	put_name(b, o);
	put_age(b, o, now_ms);
}
COLUMNS(generic, generic_cells, NAME, AGE);

static void namespace_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	put_name(b, o);
	put_str(b, sw_json_str(o, "status.phase"), "");
	put_age(b, o, now_ms);
}
COLUMNS(namespace, namespace_cells, NAME, STR("Status"), AGE);

static void configmap_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	put_name(b, o);
	sw_buf_printf(b, ",%zu", count_of(o, "data") + count_of(o, "binaryData"));
	put_age(b, o, now_ms);
}
COLUMNS(configmap, configmap_cells, NAME, STR("Data"), AGE);

static void secret_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	put_name(b, o);
	put_str(b, sw_json_str(o, "type"), "");
	sw_buf_printf(b, ",%zu", count_of(o, "data"));
	put_age(b, o, now_ms);
}
COLUMNS(secret, secret_cells, NAME, STR("Type"), STR("Data"), AGE);

static void lease_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	put_name(b, o);
	put_str(b, sw_json_str(o, "spec.holderIdentity"), "");
	put_age(b, o, now_ms);
}
COLUMNS(lease, lease_cells, NAME, STR("Holder"), AGE);

static void training_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	json_t *conditions = sw_json_at(o, "status.conditions");
	size_t n = sw_json_len(conditions);

	put_name(b, o);
	put_str(b, n ? sw_json_str(sw_json_idx(conditions, n - 1), "type") : NULL, "");
	put_age(b, o, now_ms);
}
COLUMNS(training, training_cells, NAME, STR("State"), AGE);

static void workload_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	put_name(b, o);
	put_str(b, sw_json_str(o, "spec.queueName"), "");
	put_str(b, sw_json_str(o, "status.admission.clusterQueue"), "");
	put_condition(b, o, "Admitted");
	put_condition(b, o, "Finished");
	put_age(b, o, now_ms);
}
COLUMNS(workload, workload_cells, NAME, STR("Queue"), STR("Reserved in"), STR("Admitted"), STR("Finished"), AGE);

static void cluster_queue_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	(void)now_ms;
	put_name(b, o);
	put_str(b, sw_json_str(o, "spec.cohortName"), "");
	put_str(b, sw_json_str(o, "spec.queueingStrategy"), "");
	put_int_at(b, o, "status.pendingWorkloads");
	put_int_at(b, o, "status.admittedWorkloads");
}
COLUMNS(cluster_queue, cluster_queue_cells, NAME, STR("Cohort"), WIDE("Strategy"), INT("Pending Workloads"),
	{"Admitted Workloads", "integer", "", 1});

static void local_queue_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	(void)now_ms;
	put_name(b, o);
	put_str(b, sw_json_str(o, "spec.clusterQueue"), "");
	put_int_at(b, o, "status.pendingWorkloads");
	put_int_at(b, o, "status.admittedWorkloads");
}
COLUMNS(local_queue, local_queue_cells, NAME, STR("ClusterQueue"), INT("Pending Workloads"), INT("Admitted Workloads"));

static void priority_class_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	(void)now_ms;
	put_name(b, o);
	put_int_at(b, o, "value");
}
COLUMNS(priority_class, priority_class_cells, NAME, INT("Value"));

static void node_pool_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	put_name(b, o);
	put_str(b, sw_json_str(o, "spec.model"), "<none>");
	put_str(b, sw_json_str(o, "spec.machineType"), "<none>");
	put_int_at(b, o, "spec.desired");
	put_int_at(b, o, "status.ready");
	put_int_at(b, o, "spec.maxNodes");
	put_age(b, o, now_ms);
}
COLUMNS(node_pool, node_pool_cells, NAME, STR("GPU"), STR("Machine"), INT("Desired"), INT("Ready"), INT("Max"), AGE);

/* ---- jobs -------------------------------------------------------------------------------------- */

static bool job_condition(json_t *job, const char *type)
{
	const char *status = sw_json_str(sw_json_condition(job, type), "status");

	return status && strcmp(status, "True") == 0;
}

const char *sw_job_status_word(json_t *job)
{
	if (job_condition(job, "Complete"))
		return "Complete";
	if (job_condition(job, "Failed"))
		return "Failed";
	if (sw_json_str(job, "metadata.deletionTimestamp"))
		return "Terminating";
	if (job_condition(job, "Suspended"))
		return "Suspended";
	if (job_condition(job, "FailureTarget"))
		return "FailureTarget";
	return job_condition(job, "SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
}

static void put_completions(struct sw_buf *b, json_t *o)
{
	long long succeeded = sw_json_int(o, "status.succeeded", 0);
	long long parallelism = sw_json_int(o, "spec.parallelism", 0);
	char text[96];

	if (sw_json_at(o, "spec.completions"))
		snprintf(text, sizeof(text), "%lld/%lld", succeeded, (long long)sw_json_int(o, "spec.completions", 0));
	else if (parallelism > 1)
		snprintf(text, sizeof(text), "%lld/1 of %lld", succeeded, parallelism);
	else
		snprintf(text, sizeof(text), "%lld/1", succeeded);
	put_str(b, text, "");
}

static void put_duration(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	const char *end = sw_json_str(o, "status.completionTime");
	char text[32];
	int64_t end_ms = now_ms;

	if (end && sw_failed(sw_time_parse(end, &end_ms)))
		end_ms = now_ms;
	put_str(b, since(sw_json_str(o, "status.startTime"), end_ms, text) ? text : NULL, "");
}

static void put_set_expression(struct sw_buf *b, json_t *e)
{
	const char *key = sw_json_str(e, "key"), *op = sw_json_str(e, "operator");
	json_t *values = sw_json_key(e, "values");

	key = key ? key : "";
	if (op && strcmp(op, "DoesNotExist") == 0) {
		sw_buf_printf(b, "!%s", key);
		return;
	}
	sw_buf_puts(b, key);
	if (!op || strcmp(op, "Exists") == 0)
		return;
	sw_buf_printf(b, " %s (", strcmp(op, "In") == 0 ? "in" : "notin");
	for (size_t i = 0; i < sw_json_len(values); i++)
		sw_buf_printf(b, "%s%s", i ? "," : "", json_object_get_string(sw_json_idx(values, i)));
	sw_buf_putc(b, ')');
}

/* As `kubectl get -l` would take it: a=b,c in (d,e) */
static void put_selector(struct sw_buf *b, json_t *selector)
{
	json_t *labels = sw_json_key(selector, "matchLabels"), *expressions = sw_json_key(selector, "matchExpressions");
	struct sw_buf text;

	sw_buf_init(&text, 1 << 20);
	if (json_object_is_type(labels, json_type_object)) {
		json_object_object_foreach(labels, key, value)
			sw_buf_printf(&text, "%s%s=%s", text.len ? "," : "", key, json_object_get_string(value));
	}
	for (size_t i = 0; i < sw_json_len(expressions); i++) {
		if (text.len)
			sw_buf_putc(&text, ',');
		put_set_expression(&text, sw_json_idx(expressions, i));
	}
	put_str(b, text.at, "<none>");
	sw_buf_fini(&text);
}

static void job_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	json_t *containers = sw_json_at(o, "spec.template.spec.containers");

	put_name(b, o);
	put_str(b, sw_job_status_word(o), "");
	put_completions(b, o);
	put_duration(b, o, now_ms);
	put_age(b, o, now_ms);
	put_containers(b, containers, "name");
	put_containers(b, containers, "image");
	put_selector(b, sw_json_at(o, "spec.selector"));
}
COLUMNS(job, job_cells, NAME, STR("Status"), STR("Completions"), STR("Duration"), AGE, WIDE("Containers"),
	WIDE("Images"), WIDE("Selector"));

/* ---- events ------------------------------------------------------------------------------------ */

static const char *first_of(const char *a, const char *b)
{
	return a && *a ? a : b;
}

/* Both shapes of Event are printed from here: a field has either of two names. */
static json_t *either(json_t *o, const char *core, const char *events)
{
	json_t *v = sw_json_at(o, core);

	return v ? v : sw_json_at(o, events);
}

static const char *text_of(json_t *v)
{
	return v && json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

static void put_event_object(struct sw_buf *b, json_t *object)
{
	const char *kind = sw_json_str(object, "kind"), *name = sw_json_str(object, "name");
	char lower[64];
	size_t i = 0;
	struct sw_buf text;

	for (; kind && kind[i] && i < sizeof(lower) - 1; i++)
		lower[i] = (char)tolower((unsigned char)kind[i]);
	lower[i] = '\0';
	sw_buf_init(&text, 4096);
	sw_buf_printf(&text, "%s%s%s", lower, name && *name ? "/" : "", name ? name : "");
	put_str(b, text.at, "");
	sw_buf_fini(&text);
}

static void put_event_source(struct sw_buf *b, json_t *o)
{
	json_t *source = either(o, "source", "deprecatedSource");
	const char *component = first_of(sw_json_str(source, "component"),
					 text_of(either(o, "reportingComponent", "reportingController")));
	const char *host = first_of(sw_json_str(source, "host"), sw_json_str(o, "reportingInstance"));
	struct sw_buf text;

	sw_buf_init(&text, 4096);
	sw_buf_puts(&text, component ? component : "");
	if (host && *host)
		sw_buf_printf(&text, ", %s", host);
	put_str(b, text.at, "");
	sw_buf_fini(&text);
}

/* the message without blanks around it */
static void put_event_message(struct sw_buf *b, const char *s)
{
	size_t n;

	s = s ? s : "";
	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	sw_buf_putc(b, ',');
	sw_buf_json_strn(b, s, n);
}

static void event_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	json_t *series = sw_json_key(o, "series");
	json_t *object = either(o, "involvedObject", "regarding");
	const char *first =
		first_of(text_of(either(o, "firstTimestamp", "deprecatedFirstTimestamp")), sw_json_str(o, "eventTime"));
	const char *last = first_of(text_of(either(o, "lastTimestamp", "deprecatedLastTimestamp")), first);
	json_t *count = either(o, "count", "deprecatedCount");
	long long n = count ? json_object_get_int64(count) : 0;
	char age[32];

	if (series) {
		last = sw_json_str(series, "lastObservedTime");
		n = sw_json_int(series, "count", 1);
	}
	sw_buf_json_str(b, since(last, now_ms, age) ? age : "<unknown>");
	put_str(b, sw_json_str(o, "type"), "");
	put_str(b, sw_json_str(o, "reason"), "");
	put_event_object(b, object);
	put_str(b, sw_json_str(object, "fieldPath"), "");
	put_event_source(b, o);
	put_event_message(b, text_of(either(o, "message", "note")));
	put_since(b, first, now_ms);
	sw_buf_printf(b, ",%lld", n ? n : 1);
	put_str(b, sw_json_str(o, "metadata.name"), "");
}
COLUMNS(event, event_cells, STR("Last Seen"), STR("Type"), STR("Reason"), STR("Object"), WIDE("Subobject"),
	WIDE("Source"), STR("Message"), WIDE("First Seen"), WIDE("Count"), {"Name", "string", "name", 1});

/* ---- nodes ------------------------------------------------------------------------------------- */

static void put_node_status(struct sw_buf *b, json_t *o)
{
	const char *ready = sw_json_str(sw_json_condition(o, "Ready"), "status");
	char text[64];

	snprintf(text, sizeof(text), "%s%s",
		 !ready                       ? "Unknown"
		 : strcmp(ready, "True") == 0 ? "Ready"
					      : "NotReady",
		 sw_json_bool(o, "spec.unschedulable") ? ",SchedulingDisabled" : "");
	put_str(b, text, "");
}

static void put_node_roles(struct sw_buf *b, json_t *o)
{
	static const char prefix[] = "node-role.kubernetes.io/";
	json_t *labels = sw_json_at(o, "metadata.labels");
	struct sw_buf text;

	sw_buf_init(&text, 64 << 10);
	if (json_object_is_type(labels, json_type_object)) {
		json_object_object_foreach(labels, key, value)
		{
			const char *role = NULL;

			if (strncmp(key, prefix, sizeof(prefix) - 1) == 0)
				role = key + sizeof(prefix) - 1;
			else if (strcmp(key, "kubernetes.io/role") == 0)
				role = json_object_get_string(value);
			if (role && *role)
				sw_buf_printf(&text, "%s%s", text.len ? "," : "", role);
		}
	}
	put_str(b, text.at, "<none>");
	sw_buf_fini(&text);
}

static void put_node_address(struct sw_buf *b, json_t *o, const char *type)
{
	json_t *addresses = sw_json_at(o, "status.addresses");

	for (size_t i = 0; i < sw_json_len(addresses); i++) {
		json_t *a = sw_json_idx(addresses, i);
		const char *t = sw_json_str(a, "type");

		if (t && strcmp(t, type) == 0) {
			put_str(b, sw_json_str(a, "address"), "<none>");
			return;
		}
	}
	put_str(b, NULL, "<none>");
}

static void put_node_kernel(struct sw_buf *b, json_t *info)
{
	const char *kernel = sw_json_str(info, "kernelVersion"), *arch = sw_json_str(info, "architecture");
	struct sw_buf text;

	sw_buf_init(&text, 64 << 10);
	sw_buf_puts(&text, kernel && *kernel ? kernel : "<unknown>");
	if (arch && *arch)
		sw_buf_printf(&text, " (%s)", arch);
	put_str(b, text.at, "<unknown>");
	sw_buf_fini(&text);
}

static void node_cells(struct sw_buf *b, json_t *o, int64_t now_ms)
{
	json_t *info = sw_json_at(o, "status.nodeInfo");

	put_name(b, o);
	put_node_status(b, o);
	put_node_roles(b, o);
	put_age(b, o, now_ms);
	put_str(b, sw_json_str(info, "kubeletVersion"), "");
	put_node_address(b, o, "InternalIP");
	put_node_address(b, o, "ExternalIP");
	put_str(b, sw_json_str(info, "osImage"), "<unknown>");
	put_node_kernel(b, info);
	put_str(b, sw_json_str(info, "containerRuntimeVersion"), "<unknown>");
}
COLUMNS(node, node_cells, NAME, STR("Status"), STR("Roles"), AGE, STR("Version"), WIDE("Internal-IP"),
	WIDE("External-IP"), WIDE("OS-Image"), WIDE("Kernel-Version"), WIDE("Container-Runtime"));
