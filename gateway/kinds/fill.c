/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fill.c - the templates of a Workload, put into a copy of its job
 *
 * A Workload's pod sets are frozen when its quota is reserved; the job is not: Kueue adds the selectors of the
 * manager's flavors to it when it starts. And a mirror may have been translated for its worker, whose Kueue compares
 * the job's templates with the mirror's.
 */
#include <string.h>
#include "kinds_priv.h"
#include "spillway/text.h"

static struct sw_podset *set_named(struct sw_podset *sets, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(sets[i].name, name) == 0)
			return &sets[i];
	return NULL;
}

/* The template stays where it is in the copy; what is in it is exchanged. */
static void template_exchange(json_t *to, json_t *from_taken)
{
	while (json_object_object_length(to)) {
		struct json_object_iterator first = json_object_iter_begin(to);
		char *key = sw_strdup(json_object_iter_peek_name(&first));

		sw_json_del_key(to, key);
		free(key);
	}
	json_object_object_foreach(from_taken, key, value) json_object_object_add(to, key, json_object_get(value));
	json_object_put(from_taken);
}

static struct sw_err set_fill(const struct sw_kind *k, json_t *copy, struct sw_podset *sets, size_t n, json_t *given,
			      size_t i)
{
	const char *name = sw_json_str(given, "name");
	json_t *template = sw_json_key(given, "template");
	struct sw_podset *set = name ? set_named(sets, n, name) : NULL;

	if (!set)
		return sw_err(SW_E_INVALID,
			      "spec.podSets[%zu] \"%.63s\": the %s has no such pod set, or it is there twice", i,
			      name ? name : "", k->kind);
	if (!json_object_is_type(template, json_type_object))
		return sw_err(SW_E_INVALID, "spec.podSets[%zu].template: expected a pod template", i);
	if (!json_object_is_type(set->template, json_type_object))
		return sw_err(SW_E_INVALID, "%s: expected a pod template", set->path);
	template = sw_json_copy(template);
	if (k->trim)
		k->trim(k, copy, set->name, template);
	template_exchange(set->template, template);
	set->name[0] = '\0'; /* filled: a second set of that name finds none */
	return SW_OK;
}

struct sw_err sw_kind_fill(const struct sw_kind *k, json_t *copy, json_t *podsets)
{
	struct sw_podset sets[SW_PODSETS_MAX];
	struct sw_err e = SW_OK;
	size_t n, given = sw_json_len(podsets);

	if (!given)
		return sw_err(SW_E_INVALID, "spec.podSets: found nothing, expected at least one pod set");
	if (k->make_room)
		k->make_room(k, copy, podsets);
	n = k->podsets(k, copy, sets);
	for (size_t i = 0; !sw_failed(e) && i < given; i++)
		e = set_fill(k, copy, sets, n, sw_json_idx(podsets, i), i);
	for (size_t i = 0; !sw_failed(e) && i < n; i++)
		if (sets[i].name[0])
			e = sw_err(SW_E_INVALID, "spec.podSets: found no set \"%s\", which the %s has at %s",
				   sets[i].name, k->kind, sets[i].path);
	return e;
}

struct sw_err sw_kind_with_podsets(const struct sw_kind *k, json_t *job, json_t *podsets, json_t **out)
{
	struct sw_err e;

	*out = sw_json_copy(job);
	e = sw_kind_fill(k, *out, podsets);
	if (sw_failed(e)) {
		json_object_put(*out);
		*out = NULL;
	}
	return e;
}
