/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flatten.c - one context of a kubeconfig, with the files that it names put inside
 *
 * Source of the fields: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

enum { FILE_MAX = 1 << 20 };

/* kubeconfig.clusters[name].cluster and the like; NULL: there is none. */
static json_t *entry(json_t *root, const char *list, const char *field, const char *name)
{
	json_t *items = sw_json_key(root, list);

	for (size_t i = 0; name && i < sw_json_len(items); i++) {
		json_t *item = sw_json_idx(items, i);
		const char *called = json_object_get_string(sw_json_key(item, "name"));
		if (called && strcmp(called, name) == 0)
			return sw_json_key(item, field);
	}
	return NULL;
}

static char *beside(const char *path, const char *file)
{
	const char *slash = strrchr(path, '/');

	return file[0] == '/' || !slash ? sw_strdup(file) : sw_asprintf("%.*s/%s", (int)(slash - path), path, file);
}

/* map[key]: a file name -> map[key-data]: its bytes in base64; what is inside already wins, as with kubectl. */
static struct sw_err put_inside(const char *path, json_t *map, const char *key)
{
	char data_key[64], *bytes;
	size_t len;
	const char *file = json_object_get_string(sw_json_key(map, key));

	snprintf(data_key, sizeof data_key, "%s-data", key);
	if (!file || sw_json_key(map, data_key)) {
		sw_json_del_key(map, key);
		return SW_OK;
	}
	char *whole = beside(path, file);
	struct sw_err e = sw_file_read(whole, FILE_MAX, &bytes, &len);
	free(whole);
	if (sw_failed(e))
		return sw_err_wrap(e, "%s: %s", path, key);
	char *text = sw_base64(bytes, len);
	json_object_object_add(map, data_key, json_object_new_string(text));
	sw_json_del_key(map, key);
	free(text);
	free(bytes);
	return SW_OK;
}

static struct sw_err put_files_inside(const char *path, json_t *cluster, json_t *user)
{
	const char *token = json_object_get_string(sw_json_key(user, "tokenFile"));
	struct sw_err e = put_inside(path, cluster, "certificate-authority");

	if (!sw_failed(e))
		e = put_inside(path, user, "client-certificate");
	if (!sw_failed(e))
		e = put_inside(path, user, "client-key");
	if (!sw_failed(e) && token) {
		char *whole = beside(path, token), *real = realpath(whole, NULL);
		json_object_object_add(user, "tokenFile", json_object_new_string(real ? real : whole));
		free(real);
		free(whole);
	}
	return e;
}

static json_t *named(const char *name, const char *field, json_t *value_taken)
{
	json_t *o = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, field, value_taken);
	json_object_array_add(list, o);
	return list;
}

static struct sw_err pick(const char *path, json_t *root, const char *context, const char *name, json_t **out)
{
	const char *chosen = context ? context : json_object_get_string(sw_json_key(root, "current-context"));
	json_t *c = entry(root, "contexts", "context", chosen);
	json_t *cluster = entry(root, "clusters", "cluster", json_object_get_string(sw_json_key(c, "cluster")));
	json_t *user = entry(root, "users", "user", json_object_get_string(sw_json_key(c, "user")));

	if (!c)
		return sw_err(SW_E_INVALID, "%s: there is no context \"%s\"%s", path, chosen ? chosen : "",
			      chosen ? "" : ", and no current-context");
	if (!json_object_is_type(cluster, json_type_object) || !json_object_is_type(user, json_type_object))
		return sw_err(SW_E_INVALID, "%s: context \"%s\" names a %s that is not there", path, chosen,
			      json_object_is_type(cluster, json_type_object) ? "user" : "cluster");
	cluster = sw_json_copy(cluster);
	user = sw_json_copy(user);
	struct sw_err e = put_files_inside(path, cluster, user);
	if (sw_failed(e)) {
		json_object_put(cluster);
		json_object_put(user);
		return e;
	}
	*out = json_object_new_object();
	sw_json_set_str(*out, "apiVersion", "v1");
	sw_json_set_str(*out, "kind", "Config");
	sw_json_set_str(*out, "current-context", name);
	json_object_object_add(*out, "clusters", named(name, "cluster", cluster));
	json_object_object_add(*out, "users", named("spillway", "user", user));
	json_t *both = json_object_new_object();
	sw_json_set_str(both, "cluster", name);
	sw_json_set_str(both, "user", "spillway");
	json_object_object_add(*out, "contexts", named(name, "context", both));
	return SW_OK;
}

struct sw_err cluster_flatten(const char *path, const char *text, size_t len, const char *context, const char *name,
			      json_t **out)
{
	struct sw_yaml *y;
	struct sw_err e = sw_yaml_parse(path, text, len, &y);

	*out = NULL;
	if (sw_failed(e))
		return e;
	if (sw_yaml_docs(y) != 1)
		e = sw_err(SW_E_INVALID, "%s: found %zu YAML documents, expected one kubeconfig", path,
			   sw_yaml_docs(y));
	else
		e = pick(path, sw_yaml_doc(y, 0), context, name, out);
	sw_yaml_free(y);
	return e;
}
