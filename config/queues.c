/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queues.c - the section `queues:` of spillway.yaml: what holds for the jobs of one queue and not for the others
 *
 *   queues:
 *   - {name: research, lost: duplicate}      # a ClusterQueue
 *   - {name: team/nightly, lost: lease}      # a LocalQueue, namespace/name: goes before its ClusterQueue
 */
#include <stdlib.h>
#include <string.h>

#include "load_priv.h"
#include "spillway/text.h"

static struct sw_queue_cfg *of(struct config *c)
{
	return (struct sw_queue_cfg *)(uintptr_t)c->pub.queues;
}

static struct sw_err lost_read(struct config *c, json_t *map, json_t *value, int *out)
{
	const char *found = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
	char where[512];

	for (int i = 0; sw_lost_names[i]; i++)
		if (strcmp(sw_lost_names[i], found) == 0) {
			*out = i;
			return SW_OK;
		}
	return sw_err(SW_E_INVALID, "%s: lost: found %.60s, expected hold, duplicate or lease",
		      sw_yaml_where(c->yaml, map, "lost", where, sizeof where), json_object_to_json_string(value));
}

static struct sw_err queue_entry(struct config *c, struct sw_queue_cfg *q, json_t *map, const char *key, json_t *value)
{
	static const char *const keys[] = {"name", "lost"};
	char where[512];

	if (strcmp(key, "name") == 0 && json_object_is_type(value, json_type_string)) {
		q->name = json_object_get_string(value);
		return SW_OK;
	}
	if (strcmp(key, "lost") == 0)
		return lost_read(c, map, value, &q->lost);
	sw_yaml_where(c->yaml, map, key, where, sizeof where);
	if (strcmp(key, "name") == 0)
		return sw_err(SW_E_INVALID, "%s: name: found %.60s, expected text", where,
			      json_object_to_json_string(value));
	const char *near = sw_nearest(key, keys, 2);
	return sw_err(SW_E_INVALID, "%s: a queue has no setting \"%.60s\"%s%s%s", where, key,
		      near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static struct sw_err queue_read(struct config *c, struct sw_queue_cfg *q, json_t *map)
{
	char where[512];
	struct sw_err e;

	sw_yaml_where(c->yaml, map, NULL, where, sizeof where);
	if (!json_object_is_type(map, json_type_object))
		return sw_err(SW_E_INVALID, "%s: queues: expected a list of maps, each with name and lost", where);
	*q = (struct sw_queue_cfg){.lost = -1};
	json_object_object_foreach(map, key, value)
	{
		e = queue_entry(c, q, map, key, value);
		if (sw_failed(e))
			return e;
	}
	if (!q->name || !*q->name)
		return sw_err(SW_E_INVALID,
			      "%s: queues: name is missing, expected a ClusterQueue, or namespace/name of a LocalQueue",
			      where);
	if (q->lost < 0)
		return sw_err(SW_E_INVALID, "%s: queue %s: lost is missing, expected hold, duplicate or lease", where,
			      q->name);
	for (const struct sw_queue_cfg *other = c->pub.queues; other < q; other++)
		if (other->name && strcmp(other->name, q->name) == 0)
			return sw_err(SW_E_INVALID, "%s: a second entry for queue \"%s\"", where, q->name);
	return SW_OK;
}

struct sw_err read_queues(struct config *c, json_t *list)
{
	char where[512];
	struct sw_err e = SW_OK;

	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: queues: expected a list of maps, each with name and lost",
			      sw_yaml_where(c->yaml, list, NULL, where, sizeof where));
	struct sw_queue_cfg *q = sw_calloc(sw_json_len(list) + 1, sizeof *q);
	c->pub.queues = q;
	for (size_t i = 0; i < sw_json_len(list) && !sw_failed(e); i++) {
		e = queue_read(c, &q[i], sw_json_idx(list, i));
		c->pub.n_queues = i + 1;
	}
	return e;
}

void free_queues(struct config *c)
{
	free(of(c));
}

enum sw_lost sw_config_lost(const struct sw_config *c, const char *ns, const char *queue, const char *cluster_queue)
{
	enum sw_lost found = (enum sw_lost)c->lost;
	size_t n = strlen(ns);

	for (size_t i = 0; i < c->n_queues; i++) {
		const struct sw_queue_cfg *q = &c->queues[i];
		if (strncmp(q->name, ns, n) == 0 && q->name[n] == '/' && strcmp(q->name + n + 1, queue) == 0)
			return (enum sw_lost)q->lost;
		if (strcmp(q->name, cluster_queue) == 0)
			found = (enum sw_lost)q->lost;
	}
	return found;
}
