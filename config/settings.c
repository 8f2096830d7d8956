/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.c - every scalar setting, once: name, type, bounds, default, help
 *
 * The loader, `spillway config print` and the example file all read this table.
 */
#include "settings.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/text.h"

static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL}; /* enum sw_log_level's order */
static const char *const formats[] = {"text", "json", NULL};                         /* false, true */
static const char *const truths[] = {"false", "true", NULL};
static const char *const roles[] = {"embedded", "mirror", "nominate", NULL}; /* enum sw_manager_role's order */
const char *const sw_lost_names[] = {"hold", "duplicate", "lease", NULL};    /* enum sw_lost's order */

static const char *const on_errors[] = {"hold", "default-policy", NULL}; /* enum sw_on_error's order */

#define ROW(path, type, field, min, max, def, choices, help)                                                           \
	{                                                                                                              \
		path, SETTING_##type, offsetof(struct sw_config, field), min, max, def, choices, help                  \
	}
#define DAY    86400e3
#define SECOND 1e3

const struct setting sw_settings[] = {
	ROW("data_dir", TEXT, data_dir, 1, 4096, "/var/lib/spillway", NULL,
	    "where the store, the certificates and the users live; one gateway per directory"),
	ROW("listen", TEXT, listen, 1, 256, "127.0.0.1:6443", NULL,
	    "address and port of the API; port 0 picks a free one"),
	ROW("hosts", TEXT, hosts, 0, 4096, "", NULL,
	    "more names and addresses for the server's certificate, comma separated; users of a gateway that listens "
	    "on 0.0.0.0 get the first"),
	ROW("clusters_dir", TEXT, clusters_dir, 0, 4096, "", NULL,
	    "folder with a file NAME.yaml for each cluster besides those under clusters; `spillway cluster add` writes "
	    "it; watched while running"),
	ROW("log.level", CHOICE, log_level, 0, 0, "info", levels, "least level that is printed"),
	ROW("log.format", FLAG, log_json, 0, 0, "text", formats, "one JSON object or one line of text per message"),
	ROW("manager.role", CHOICE, manager_role, 0, 0, "embedded", roles,
	    "where users' jobs and quota live: embedded (spillway's own API server), mirror (a cluster with Kueue) or "
	    "nominate (a cluster whose Kueue runs MultiKueue; spillway only names the clusters)"),
	ROW("manager.kubeconfig", TEXT, manager_kubeconfig, 0, 4096, "", NULL,
	    "mirror, nominate: how to reach the cluster that runs Kueue; empty: the service account of the pod we run "
	    "in"),
	ROW("manager.context", TEXT, manager_context, 0, 253, "", NULL,
	    "mirror, nominate: context in it; empty: the current one"),
	ROW("manager.check", TEXT, manager_check, 0, 253, "", NULL,
	    "mirror, nominate: the one AdmissionCheck to serve; empty: every one whose controllerName is "
	    "spillway.dev/dispatch (nominate: kueue.x-k8s.io/multikueue)"),
	ROW("manager.import_multikueue", FLAG, manager_import, 0, 0, "false", truths,
	    "mirror, nominate: the MultiKueueClusters that a MultiKueueConfig of the manager names are clusters too, "
	    "with their kubeconfig Secrets, followed while running; needs config/kubernetes/import-multikueue"),
	ROW("manager.namespace", TEXT, manager_ns, 1, 63, "spillway-system", NULL,
	    "mirror: namespace of the Lease and the ConfigMap that spillway keeps on the manager"),
	ROW("manager.lease", TEXT, manager_lease, 1, 63, "spillway", NULL, "mirror: name of that Lease and ConfigMap"),
	ROW("manager.lease_duration", DURATION, manager_lease_ms, SECOND, 3600e3, "15s", NULL,
	    "mirror: a gateway that leads and is not heard of for so long is replaced by one that stands by"),
	ROW("policy.file", TEXT, policy, 0, 4096, "", NULL,
	    "Lua policy, or the name of a shipped one (burst, cheapest, soonest, ...); empty: burst"),
	ROW("policy.on_error", CHOICE, policy_on_error, 0, 0, "hold", on_errors,
	    "while the policy fails: hold (jobs keep their last plan, or wait) or default-policy (policies/burst.lua "
	    "decides)"),
	ROW("policy.instructions", WHOLE, policy_instructions, 1000, 1e9, "2000000", NULL,
	    "instructions that one decision may take"),
	ROW("policy.memory", BYTES, policy_memory_bytes, 256 << 10, 1 << 30, "8Mi", NULL,
	    "memory that the policy may use"),
	ROW("decisions.file", TEXT, decisions_file, 0, 4096, "", NULL,
	    "log of the policy's decisions with all it was told, one JSON line each; empty: decisions.jsonl in "
	    "data_dir"),
	ROW("decisions.size", BYTES, decisions_bytes, 0, 1LL << 40, "16Mi", NULL,
	    "a file of that log is put aside when it would grow over this; 0: decisions are not recorded"),
	ROW("decisions.files", WHOLE, decisions_files, 1, 1000, "8", NULL,
	    "files of that log in all; the oldest goes first"),
	ROW("identity.origin", TEXT, origin, 0, 63, "", NULL,
	    "name of this installation on every remote object; empty: a random one, made at first start and kept"),
	ROW("dispatch.resync", DURATION, resync_ms, SECOND, DAY, "10m", NULL,
	    "every workload is looked at again this often"),
	ROW("dispatch.heartbeat", DURATION, heartbeat_ms, 0, 3600e3, "10s", NULL,
	    "an API server (a worker's, the manager's) that said nothing for so long is asked whether it is there; "
	    "without an "
	    "answer in 15 s it is out of reach; 0: never"),
	ROW("dispatch.lost_after", DURATION, lost_after_ms, SECOND, 30 * DAY, "15m", NULL,
	    "a worker cluster unreachable for longer is lost"),
	ROW("dispatch.lost", CHOICE, lost, 0, 0, "hold", sw_lost_names,
	    "jobs of a lost cluster: hold (never moved until it answers), duplicate (moved; may run twice) or lease "
	    "(moved "
	    "once the deadline on the copy, which is renewed while the cluster answers, has ended it); a queue may "
	    "differ: "
	    "queues"),
	ROW("dispatch.lease", DURATION, lease_ms, 30 * SECOND, 7 * DAY, "10m", NULL,
	    "with lost: lease, a copy ends by itself this long after its last renewal; also when the gateway is away "
	    "for so "
	    "long"),
	ROW("dispatch.lease_margin", DURATION, lease_margin_ms, SECOND, DAY, "1m", NULL,
	    "more than the clocks of gateway and clusters differ; a leased job is moved that much later"),
	ROW("dispatch.schedule_within", DURATION, hold_placed_ms, SECOND, 30 * DAY, "10m", NULL,
	    "a started job whose pods are not all scheduled by then is moved"),
	ROW("dispatch.requests_per_cluster", WHOLE, window, 1, 1024, "32", NULL,
	    "most requests in flight to one cluster"),
	ROW("dispatch.log_tail", BYTES, log_tail_bytes, 0, 64 << 20, "1Mi", NULL,
	    "end of each container's log that is kept after the job; 0: none is"),
	ROW("burst.idle_release", DURATION, idle_release_ms, 0, 30 * DAY, "5m", NULL,
	    "a bought node idle for longer is given back"),
	ROW("burst.stockout", DURATION, stockout_ms, SECOND, DAY, "10m", NULL,
	    "a pool that had no capacity is avoided this long; doubles up to eight times"),
	ROW("burst.max_price_per_hour", MONEY, max_price_hour, 0, 1e9, "0", NULL,
	    "USD per hour that all bought nodes together may cost; 0: nothing is bought"),
	ROW("burst.price_max_age", DURATION, price_max_age_ms, SECOND, 3650 * DAY, "180d", NULL,
	    "older prices count as unknown, and unknown is never bought"),
};
const size_t sw_n_settings = sizeof sw_settings / sizeof *sw_settings;

/* ---- storing ------------------------------------------------------------------------- */

static struct sw_err wrong(const struct setting *row, const char *where, json_t *found, const char *expected)
{
	return sw_err(SW_E_INVALID, "%s: %s: found %.80s, expected %s", where, row->path,
		      found ? json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN) : "nothing", expected);
}

static struct sw_err set_text(char **field, const struct setting *row, json_t *value, const char *where)
{
	char expected[64];
	const char *s = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
	size_t n = s ? strlen(s) : 0;
	snprintf(expected, sizeof expected, "text of %.0f to %.0f bytes", row->min, row->max);
	if (!s || (double)n < row->min || (double)n > row->max || n != (size_t)json_object_get_string_len(value))
		return wrong(row, where, value, expected);
	free(*field);
	*field = sw_strdup(s);
	return SW_OK;
}

static struct sw_err choose(int *field, const struct setting *row, json_t *value, const char *where)
{
	char expected[160] = "one of";
	int n = 0;
	/* YAML 1.1 reads a bare `off` as false: take it back to the word where it is one of the choices. */
	bool no = json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
	const char *s = no ? "off" : json_object_get_string(value);
	for (; row->choices[n]; n++) {
		bool false_too = no && strcmp(row->choices[n], "false") == 0;
		if (s && (false_too || strcmp(s, row->choices[n]) == 0)) {
			*field = n;
			return SW_OK;
		}
		size_t at = strlen(expected);
		snprintf(expected + at, sizeof expected - at, "%s %s", n ? "," : "", row->choices[n]);
	}
	const char *near = s ? sw_nearest(s, row->choices, n) : NULL;
	size_t at = strlen(expected);
	if (near)
		snprintf(expected + at, sizeof expected - at, " (did you mean %s?)", near);
	return wrong(row, where, value, expected);
}

static bool read_number(const struct setting *row, json_t *value, double *out)
{
	int64_t i = 0;
	const char *s = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
	switch (row->type) {
	case SETTING_DURATION:
		if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) == 0)
			break; /* 0 needs no unit */
		if (!s || sw_failed(sw_duration_parse(s, &i)))
			return false;
		break;
	case SETTING_BYTES:
		if (sw_failed(sw_quantity_ceil(json_object_get_string(value), &i)))
			return false;
		break;
	case SETTING_WHOLE:
		if (!json_object_is_type(value, json_type_int))
			return false;
		i = json_object_get_int64(value);
		break;
	default:
		if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
			return false;
		*out = json_object_get_double(value);
		return isfinite(*out);
	}
	*out = (double)i;
	return true;
}

static const char *number_text(const struct setting *row, double v, char *buf, size_t size)
{
	char small[32];
	int64_t i = (int64_t)v;
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {
		{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"},
	};
	if (row->type == SETTING_BYTES) {
		snprintf(buf, size, "%s", sw_bytes_text(i, small));
	} else if (row->type == SETTING_DURATION && i) {
		size_t u = 0;
		while (i % units[u].ms)
			u++;
		snprintf(buf, size, "%lld%s", (long long)(i / units[u].ms), units[u].unit);
	} else {
		snprintf(buf, size, "%.12g", v);
	}
	return buf;
}

static struct sw_err set_number(void *field, const struct setting *row, json_t *value, const char *where)
{
	static const char *const what[] = {
		[SETTING_WHOLE] = "a whole number",
		[SETTING_DURATION] = "a duration like 90s, 10m or 2h",
		[SETTING_BYTES] = "a size like 8Mi",
		[SETTING_MONEY] = "USD per hour",
	};
	double v;
	if (!read_number(row, value, &v) || v < row->min || v > row->max) {
		char expected[160], lo[40], hi[40];
		snprintf(expected, sizeof expected, "%s from %s to %s", what[row->type],
			 number_text(row, row->min, lo, sizeof lo), number_text(row, row->max, hi, sizeof hi));
		return wrong(row, where, value, expected);
	}
	if (row->type == SETTING_MONEY)
		*(double *)field = v;
	else
		*(int64_t *)field = (int64_t)v;
	return SW_OK;
}

struct sw_err sw_setting_set(struct sw_config *c, const struct setting *row, json_t *value, const char *where)
{
	void *field = (char *)c + row->offset;
	int picked = 0;
	struct sw_err e;
	switch (row->type) {
	case SETTING_TEXT:
		return set_text(field, row, value, where);
	case SETTING_CHOICE:
		return choose(field, row, value, where);
	case SETTING_FLAG:
		e = choose(&picked, row, value, where);
		if (!sw_failed(e))
			*(bool *)field = picked;
		return e;
	default:
		return set_number(field, row, value, where);
	}
}

const char *sw_setting_text(const struct sw_config *c, const struct setting *row, char *buf, size_t size)
{
	const void *field = (const char *)c + row->offset;
	switch (row->type) {
	case SETTING_TEXT:
		snprintf(buf, size, "%s", *(const char *const *)field);
		return buf;
	case SETTING_CHOICE:
		return row->choices[*(const int *)field];
	case SETTING_FLAG:
		return row->choices[*(const bool *)field];
	case SETTING_MONEY:
		return number_text(row, *(const double *)field, buf, size);
	default:
		return number_text(row, (double)*(const int64_t *)field, buf, size);
	}
}
