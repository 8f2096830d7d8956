/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.c - see write.h
 *
 * An apply is a whole statement: whatever its manager owned and does not repeat is deleted. Leaving Kueue's admission
 * out would take the quota away from a workload. So what the manager owns is read from the object itself: fieldsV1 is a
 * tree of "f:NAME" (a field), "k:{...}" (the element of a list with these keys), "v:..." (a value of a set), "i:N" (the
 * Nth element) and "." (the thing itself). Source: kubernetes.io/docs, Server-Side Apply, "Field management";
 * sigs.k8s.io/structured-merge-diff, fieldpath/serialize.go.
 */
#include <string.h>
#include "spillway/text.h"
#include "write.h"

enum { DEPTH_MAX = 24 };

/* What the manager owns of a status, by its Apply entry. */
static json_t *entry_of(json_t *workload, const char *manager)
{
	json_t *list = sw_json_at(workload, "metadata.managedFields");

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *e = sw_json_idx(list, i);
		const char *who = sw_json_str(e, "manager"), *op = sw_json_str(e, "operation"),
			   *sub = sw_json_str(e, "subresource");

		if (who && op && sub && strcmp(who, manager) == 0 && strcmp(op, "Apply") == 0 &&
		    strcmp(sub, "status") == 0)
			return e;
	}
	return NULL;
}

bool nominate_is_applied(json_t *workload)
{
	return entry_of(workload, KUEUE_MANAGER) != NULL;
}

int64_t nominate_written_ms(json_t *workload)
{
	json_t *list = sw_json_at(workload, "metadata.managedFields");
	int64_t latest = 0;

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *e = sw_json_idx(list, i);
		json_t *status = sw_json_key(sw_json_key(e, "fieldsV1"), "f:status");
		const char *time = sw_json_str(e, "time");
		int64_t ms = 0;

		if (sw_json_key(status, "f:nominatedClusterNames") && time && !sw_failed(sw_time_parse(time, &ms)) &&
		    ms > latest)
			latest = ms;
	}
	return latest;
}

/* ---- the part of a value that is owned ---------------------------------------------------- */

static struct sw_err owned(json_t *value, json_t *fields, int depth, json_t **out);

static bool has_all(json_t *element, json_t *keys)
{
	if (!json_object_is_type(element, json_type_object) || !json_object_is_type(keys, json_type_object))
		return false;
	json_object_object_foreach(keys, key,
				   wanted) if (!json_object_equal(sw_json_key(element, key), wanted)) return false;
	return true;
}

/* "k:{"type":"Admitted"}" -> that element of the list; NULL if it is not there. */
static struct sw_err find_by_keys(json_t *list, const char *text, json_t **out)
{
	json_t *keys = NULL;
	struct sw_err e = sw_json_parse(text, strlen(text), &keys);

	*out = NULL;
	for (size_t i = 0; !sw_failed(e) && !*out && i < sw_json_len(list); i++)
		if (has_all(sw_json_idx(list, i), keys))
			*out = sw_json_idx(list, i);
	json_object_put(keys);
	return e;
}

static struct sw_err find_value(json_t *list, const char *text, json_t **out)
{
	json_t *wanted = NULL;
	struct sw_err e = sw_json_parse(text, strlen(text), &wanted);

	*out = NULL;
	for (size_t i = 0; !sw_failed(e) && !*out && i < sw_json_len(list); i++)
		if (json_object_equal(sw_json_idx(list, i), wanted))
			*out = sw_json_idx(list, i);
	json_object_put(wanted);
	return e;
}

static struct sw_err element_owned(json_t *list, const char *step, json_t *fields, int depth, json_t *into)
{
	json_t *element = NULL, *part = NULL;
	struct sw_err e;

	if (strncmp(step, "k:", 2) == 0)
		e = find_by_keys(list, step + 2, &element);
	else if (strncmp(step, "v:", 2) == 0)
		e = find_value(list, step + 2, &element);
	else
		e = sw_err(SW_E_INVALID, "found \"%.60s\", expected k: or v:", step);
	if (sw_failed(e) || !element) /* owned, but gone since: there is nothing to repeat */
		return e;
	e = owned(element, fields, depth, &part);
	if (!sw_failed(e))
		json_object_array_add(into, part);
	return e;
}

static struct sw_err field_owned(json_t *object, const char *step, json_t *fields, int depth, json_t *into)
{
	json_t *value, *part = NULL;
	struct sw_err e;

	if (strncmp(step, "f:", 2) != 0)
		return sw_err(SW_E_INVALID, "found \"%.60s\", expected f:", step);
	value = sw_json_key(object, step + 2);
	if (!value)
		return SW_OK;
	e = owned(value, fields, depth, &part);
	if (!sw_failed(e))
		json_object_object_add(into, step + 2, part);
	return sw_err_wrap(e, "%.60s", step);
}

static struct sw_err owned(json_t *value, json_t *fields, int depth, json_t **out)
{
	bool list = json_object_is_type(value, json_type_array);
	struct sw_err e = SW_OK;

	*out = NULL;
	if (!json_object_is_type(fields, json_type_object))
		return sw_err(SW_E_INVALID, "expected a map of fields");
	if (depth > DEPTH_MAX)
		return sw_err(SW_E_INVALID, "deeper than %d", DEPTH_MAX);
	if (!json_object_object_length(fields) || (!list && !json_object_is_type(value, json_type_object))) {
		*out = sw_json_copy(value); /* a leaf, or owned as a whole */
		return SW_OK;
	}
	*out = list ? json_object_new_array() : json_object_new_object();
	json_object_object_foreach(fields, step, under)
	{
		if (strcmp(step, ".") == 0)
			continue;
		e = list ? element_owned(value, step, under, depth + 1, *out)
			 : field_owned(value, step, under, depth + 1, *out);
		if (sw_failed(e))
			break;
	}
	if (sw_failed(e)) {
		json_object_put(*out);
		*out = NULL;
	}
	return e;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static json_t *names_list(const char *const *names, size_t n)
{
	json_t *list = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_string(names[i]));
	return list;
}

static void carry_over(json_t *from, json_t *to, const char *path)
{
	const char *v = sw_json_str(from, path);

	if (v)
		sw_json_set_str(to, path, v);
}

struct sw_err nominate_apply(json_t *workload, const char *const *names, size_t n, json_t **out)
{
	static const char *const identity[] = {"apiVersion",         "kind",         "metadata.name",
					       "metadata.namespace", "metadata.uid", "metadata.resourceVersion"};
	json_t *entry = entry_of(workload, KUEUE_MANAGER), *status = sw_json_key(workload, "status"), *part = NULL;
	const char *version = sw_json_str(entry, "apiVersion"), *ours = sw_json_str(workload, "apiVersion");
	json_t *fields = sw_json_key(sw_json_key(entry, "fieldsV1"), "f:status");
	struct sw_err e = SW_OK;

	*out = NULL;
	if (entry && (!version || !ours || strcmp(version, ours) != 0))
		return sw_err(SW_E_INVALID, "Kueue wrote this Workload as %s, expected %s",
			      version ? version : "nothing", ours ? ours : "nothing");
	if (fields && status)
		e = owned(status, fields, 0, &part);
	if (sw_failed(e))
		return sw_err_wrap(e, "managedFields of " KUEUE_MANAGER);
	*out = json_object_new_object();
	for (size_t i = 0; i < sizeof(identity) / sizeof(*identity); i++)
		carry_over(workload, *out, identity[i]);
	json_object_object_add(*out, "status", part ? part : json_object_new_object());
	sw_json_set(*out, "status.nominatedClusterNames", names_list(names, n));
	return SW_OK;
}

json_t *nominate_patch(json_t *workload, const char *const *names, size_t n)
{
	json_t *o = json_object_new_object();

	carry_over(workload, o, "metadata.uid");
	carry_over(workload, o, "metadata.resourceVersion");
	sw_json_set(o, "status.nominatedClusterNames", names_list(names, n));
	return o;
}
