/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies.c - the section `policies:` of spillway.yaml: queues whose jobs another policy decides
 *
 *   policies:
 *   - {queue: interactive, file: soonest}           # a ClusterQueue, a shipped policy
 *   - {queue: physics/nightly, file: nightly.lua}   # NAMESPACE/LOCALQUEUE, a file beside this one
 */
#include <stdlib.h>
#include <string.h>

#include "load_priv.h"
#include "spillway/text.h"

/* A file beside the configuration, or a shipped policy by its bare name. */
static const char *file_or_name(const struct config *c, const char *word)
{
	bool file = strchr(word, '/') || (strlen(word) > 4 && strcmp(word + strlen(word) - 4, ".lua") == 0);
	if (!file)
		return sw_strdup(word);
	const char *path = beside(c, word);
	if (strchr(path, '/'))
		return path;
	const char *here = sw_asprintf("./%s", path); /* no name of a shipped one */
	free((char *)(uintptr_t)path);
	return here;
}

static struct sw_err read_rule(struct config *c, struct sw_policy_cfg *p, json_t *map)
{
	char where[512];
	p->where = sw_strdup(sw_yaml_where(c->yaml, map, NULL, where, sizeof where));
	const char *queue = sw_json_str(map, "queue"), *file = sw_json_str(map, "file");
	if (!queue || !*queue || !file || !*file || json_object_object_length(map) != 2)
		return sw_err(
			SW_E_INVALID,
			"%s: policies: found %.80s, expected queue (a ClusterQueue or NAMESPACE/LOCALQUEUE) and file "
			"(a .lua file or a shipped policy)",
			where, json_object_to_json_string_ext(map, JSON_C_TO_STRING_PLAIN));
	p->queue = sw_strdup(queue);
	p->file = file_or_name(c, file);
	for (const struct sw_policy_cfg *other = c->pub.policies; other < p; other++)
		if (strcmp(other->queue, p->queue) == 0)
			return sw_err(SW_E_INVALID, "%s: policies: queue %s has a policy already (at %s)", where, queue,
				      other->where);
	return SW_OK;
}

struct sw_err read_policies(struct config *c, json_t *list)
{
	struct sw_policy_cfg *rules = sw_calloc(sw_json_len(list) + 1, sizeof *rules);
	c->pub.policies = rules;
	if (!json_object_is_type(list, json_type_array))
		return sw_err(SW_E_INVALID, "%s: policies: expected a list, each with queue and file", c->path);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		c->pub.n_policies = i + 1; /* counted first, so that a half-read one is freed */
		struct sw_err e = read_rule(c, &rules[i], sw_json_idx(list, i));
		if (sw_failed(e))
			return e;
	}
	return SW_OK;
}

void free_policies(struct config *c)
{
	for (size_t i = 0; i < c->pub.n_policies; i++) {
		const char *const owned[] = {c->pub.policies[i].queue, c->pub.policies[i].file,
					     c->pub.policies[i].where};
		for (size_t k = 0; k < sizeof owned / sizeof *owned; k++)
			free((char *)(uintptr_t)owned[k]);
	}
	free((void *)(uintptr_t)c->pub.policies);
}
