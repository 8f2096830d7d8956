/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.c - what a create and an update may not touch, and the options of a delete
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "schema_priv.h"
#include "spillway/text.h"

static json_t *metadata_of(json_t *o)
{
	json_t *meta = sw_json_key(o, "metadata");

	if (!meta) {
		meta = json_object_new_object();
		json_object_object_add(o, "metadata", meta);
	}
	return meta;
}

static void put_str(json_t *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

/* ---- create ------------------------------------------------------------------------------------ */

static json_t *begin_namespace(const struct sw_resource *r, json_t *meta, const char *ns)
{
	const char *given = sw_json_str(meta, "namespace");

	if (!r->namespaced) {
		json_object_object_del(meta, "namespace");
		return NULL;
	}
	if (given && *given && strcmp(given, ns) != 0)
		return sw_status(SW_REASON_BAD_REQUEST,
				 "the namespace of the provided object does not match the namespace sent on the "
				 "request: the object says \"%.80s\", the request \"%.80s\"",
				 given, ns);
	put_str(meta, "namespace", ns);
	return NULL;
}

/* "train-" -> "train-x7k2p"; the base is cut so that the result fits in a label */
static void begin_name(json_t *meta, const char *suffix)
{
	const char *name = sw_json_str(meta, "name"), *base = sw_json_str(meta, "generateName");
	char text[64];

	if ((name && *name) || !base || !*base)
		return;
	snprintf(text, sizeof(text), "%.58s%s", base, suffix);
	put_str(meta, "name", text);
}

json_t *sw_object_begin(const struct sw_resource *r, json_t *o, const struct sw_begin *b)
{
	static const char *const not_yours[] = {"resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
						"selfLink",        "managedFields",     "generation"};
	json_t *meta = metadata_of(o), *no = begin_namespace(r, meta, b->ns);
	char now[32];

	if (no)
		return no;
	for (size_t i = 0; i < sizeof(not_yours) / sizeof(not_yours[0]); i++)
		json_object_object_del(meta, not_yours[i]);
	begin_name(meta, b->suffix);
	put_str(meta, "uid", b->uid);
	put_str(meta, "creationTimestamp", sw_time_text(b->now_ms, now));
	if (r->flags & SW_RES_GENERATION)
		json_object_object_add(meta, "generation", json_object_new_int(1));
	/* Nodes come with their status; every other status is written through its subresource. */
	if ((r->subs & SW_SUB_STATUS) && strcmp(r->id, "nodes") != 0)
		json_object_object_del(o, "status");
	return NULL;
}

/* ---- update ------------------------------------------------------------------------------------ */

static void carry_key(json_t *to, json_t *from, const char *key)
{
	json_t *v = sw_json_key(from, key);

	if (v)
		json_object_object_add(to, key, json_object_get(v));
	else
		json_object_object_del(to, key);
}

static json_t *carry_identity(const struct sw_resource *r, json_t *meta, json_t *old_meta)
{
	static const char *const kept[] = {"name",
					   "namespace",
					   "uid",
					   "creationTimestamp",
					   "deletionTimestamp",
					   "deletionGracePeriodSeconds",
					   "generation",
					   "generateName",
					   "resourceVersion",
					   "selfLink"};
	const char *name = sw_json_str(meta, "name"), *old_name = sw_json_str(old_meta, "name");
	const char *uid = sw_json_str(meta, "uid"), *old_uid = sw_json_str(old_meta, "uid");
	char why[320];

	if (name && old_name && *name && strcmp(name, old_name) != 0)
		return sw_status(SW_REASON_BAD_REQUEST,
				 "the name of the object (%.253s) does not match the name on the URL (%.253s)", name,
				 old_name);
	if (uid && old_uid && *uid && strcmp(uid, old_uid) != 0) {
		snprintf(why, sizeof(why), "Precondition failed: UID in precondition: %.60s, UID in object meta: %.60s",
			 uid, old_uid);
		return sw_status_conflict(r, old_name, why);
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		carry_key(meta, old_meta, kept[i]);
	return NULL;
}

/* A status write: everything but status (and who owns what) is the old object's. */
static void carry_all_but_status(json_t *fresh, json_t *old)
{
	json_t *status = json_object_get(sw_json_key(fresh, "status"));
	json_t *managed = json_object_get(sw_json_at(fresh, "metadata.managedFields")), *meta;

	json_object_object_foreach(fresh, key, v)
	{
		(void)v;
		json_object_object_del(fresh, key);
	}
	json_object_object_foreach(old, old_key,
				   old_v) if (strcmp(old_key, "status") != 0 && strcmp(old_key, "metadata") != 0)
		json_object_object_add(fresh, old_key, json_object_get(old_v));
	meta = sw_json_copy(sw_json_key(old, "metadata"));
	if (managed)
		json_object_object_add(meta, "managedFields", managed);
	json_object_object_add(fresh, "metadata", meta);
	if (status)
		json_object_object_add(fresh, "status", status);
}

static bool is_content(const char *key)
{
	return strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0 && strcmp(key, "apiVersion") != 0 &&
	       strcmp(key, "kind") != 0;
}

static bool content_differs(json_t *a, json_t *b)
{
	json_object_object_foreach(a, key,
				   v) if (is_content(key) && !json_object_equal(v, sw_json_key(b, key))) return true;
	json_object_object_foreach(b, other, w)
	{
		(void)w;
		if (is_content(other) && !sw_json_key(a, other))
			return true;
	}
	return false;
}

json_t *sw_object_carry(const struct sw_schema *s, const struct sw_resource *r, const char *sub, json_t *fresh,
			json_t *old)
{
	json_t *old_meta = sw_json_key(old, "metadata"), *no = carry_identity(r, metadata_of(fresh), old_meta);

	if (no)
		return no;
	if (sub && strcmp(sub, "status") == 0) {
		carry_all_but_status(fresh, old);
		sw_object_default(s, r, fresh);
		return NULL;
	}
	if (r->subs & SW_SUB_STATUS)
		carry_key(fresh, old, "status");
	sw_object_default(s, r, fresh);
	if ((r->flags & SW_RES_GENERATION) && content_differs(fresh, old))
		json_object_object_add(metadata_of(fresh), "generation",
				       json_object_new_int64(sw_json_int(old_meta, "generation", 0) + 1));
	return NULL;
}

/* ---- same? ------------------------------------------------------------------------------------- */

static bool same_managed(json_t *a, json_t *b)
{
	if (sw_json_len(a) != sw_json_len(b))
		return false;
	for (size_t i = 0; i < sw_json_len(a); i++) {
		json_t *x = sw_json_idx(a, i), *y = sw_json_idx(b, i);

		if (!json_object_is_type(x, json_type_object) || !json_object_is_type(y, json_type_object))
			return false;
		json_object_object_foreach(x, key, v) if (strcmp(key, "time") != 0 &&
							  !json_object_equal(v, sw_json_key(y, key))) return false;
	}
	return true;
}

static bool same_metadata(json_t *a, json_t *b)
{
	json_object_object_foreach(a, key, v)
	{
		if (strcmp(key, "resourceVersion") == 0 || strcmp(key, "managedFields") == 0)
			continue;
		if (!json_object_equal(v, sw_json_key(b, key)))
			return false;
	}
	json_object_object_foreach(b, other, w)
	{
		(void)w;
		if (strcmp(other, "resourceVersion") != 0 && strcmp(other, "managedFields") != 0 &&
		    !sw_json_key(a, other))
			return false;
	}
	return same_managed(sw_json_key(a, "managedFields"), sw_json_key(b, "managedFields"));
}

bool sw_object_same(json_t *a, json_t *b)
{
	json_t *ma = sw_json_key(a, "metadata"), *mb = sw_json_key(b, "metadata");

	json_object_object_foreach(a, key, v) if (strcmp(key, "metadata") != 0 &&
						  !json_object_equal(v, sw_json_key(b, key))) return false;
	json_object_object_foreach(b, other, w)
	{
		(void)w;
		if (!sw_json_key(a, other) && w)
			return false;
	}
	return ma && mb ? same_metadata(ma, mb) : ma == mb;
}

/* ---- DeleteOptions ----------------------------------------------------------------------------- */

static json_t *propagation_parse(const char *word, enum sw_propagation *out)
{
	static const char *const words[] = {[SW_PROPAGATE_BACKGROUND] = "Background",
					    [SW_PROPAGATE_FOREGROUND] = "Foreground",
					    [SW_PROPAGATE_ORPHAN] = "Orphan"};

	for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], word) == 0) {
			*out = (enum sw_propagation)i;
			return NULL;
		}
	return sw_status(SW_REASON_INVALID,
			 "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"%.60s\": "
			 "supported values: \"Background\", \"Foreground\", \"Orphan\"",
			 word);
}

static json_t *dry_run_parse(const char *word, bool *out)
{
	if (strcmp(word, "All") != 0)
		return sw_status(SW_REASON_INVALID,
				 "DeleteOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"%.60s\": "
				 "supported values: \"All\"",
				 word);
	*out = true;
	return NULL;
}

static json_t *delete_wrong(const char *field, const char *expected)
{
	return sw_status(SW_REASON_BAD_REQUEST, "DeleteOptions: %s: expected %s", field, expected);
}

static json_t *delete_dry_run(json_t *list, struct sw_delete_options *opt)
{
	json_t *no = NULL;

	if (!json_object_is_type(list, json_type_array))
		return delete_wrong("dryRun", "a list of strings");
	for (size_t i = 0; !no && i < sw_json_len(list); i++) {
		const char *word = json_object_get_string(sw_json_idx(list, i));

		no = dry_run_parse(word ? word : "null", &opt->dry_run);
	}
	return no;
}

static json_t *delete_preconditions(json_t *p, struct sw_delete_options *opt)
{
	const char *uid = sw_json_str(p, "uid"), *rv = sw_json_str(p, "resourceVersion");

	if (!json_object_is_type(p, json_type_object))
		return delete_wrong("preconditions", "an object");
	if ((uid && strlen(uid) >= sizeof(opt->uid)) || (rv && strlen(rv) >= sizeof(opt->rv)))
		return delete_wrong("preconditions", "a uid and a resourceVersion as the server gives them");
	if (uid)
		snprintf(opt->uid, sizeof(opt->uid), "%s", uid);
	if (rv)
		snprintf(opt->rv, sizeof(opt->rv), "%s", rv);
	return NULL;
}

static json_t *delete_field(const char *key, json_t *v, struct sw_delete_options *opt)
{
	if (!v)
		return NULL;
	if (strcmp(key, "propagationPolicy") == 0)
		return json_object_is_type(v, json_type_string)
			       ? propagation_parse(json_object_get_string(v), &opt->propagation)
			       : delete_wrong(key, "a string");
	if (strcmp(key, "gracePeriodSeconds") == 0) {
		if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
			return delete_wrong(key, "a whole number from 0");
		opt->grace_s = json_object_get_int64(v);
		return NULL;
	}
	if (strcmp(key, "orphanDependents") == 0) {
		opt->propagation = json_object_get_boolean(v) ? SW_PROPAGATE_ORPHAN : SW_PROPAGATE_BACKGROUND;
		return NULL;
	}
	if (strcmp(key, "dryRun") == 0)
		return delete_dry_run(v, opt);
	return strcmp(key, "preconditions") == 0 ? delete_preconditions(v, opt) : NULL;
}

json_t *sw_delete_options(const struct sw_schema *s, json_t *body, struct sw_delete_options *opt)
{
	json_t *no;

	(void)s;
	if (!body)
		return NULL;
	if (!json_object_is_type(body, json_type_object))
		return sw_status(SW_REASON_BAD_REQUEST, "the body of a delete must be DeleteOptions, an object");
	json_object_object_foreach(body, key, v)
	{
		no = delete_field(key, v, opt);
		if (no)
			return no;
	}
	return NULL;
}

json_t *sw_delete_options_query(const char *key, const char *value, struct sw_delete_options *opt)
{
	char *end;

	if (strcmp(key, "propagationPolicy") == 0)
		return *value ? propagation_parse(value, &opt->propagation) : NULL;
	if (strcmp(key, "dryRun") == 0)
		return *value ? dry_run_parse(value, &opt->dry_run) : NULL;
	if (strcmp(key, "gracePeriodSeconds") != 0 || !*value)
		return NULL;
	opt->grace_s = strtoll(value, &end, 10);
	if (*end || opt->grace_s < 0 || opt->grace_s > INT32_MAX)
		return delete_wrong("gracePeriodSeconds", "a whole number from 0");
	return NULL;
}
