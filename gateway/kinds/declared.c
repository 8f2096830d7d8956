/* SPDX-License-Identifier: Apache-2.0 */
/*
 * declared.c - the functions of a declared kind's row
 */
#include <stdio.h>
#include <string.h>
#include "declared.h"

static const struct declared *of(const struct sw_kind *k)
{
	return (const struct declared *)k;
}

/* ---- walking a path with [*] --------------------------------------------------------- */

struct walk {
	json_t *list; /* or map, or NULL: the path has no [*] */
	struct json_object_iterator at, end;
	size_t i;
	const char *key; /* of the map */
	bool done;
};

static struct walk walk_start(json_t *o, const struct path *p)
{
	struct walk w = {.list = p->after ? sw_json_at(o, p->before) : NULL};

	w.done = p->after && !w.list;
	if (json_object_is_type(w.list, json_type_object)) {
		w.at = json_object_iter_begin(w.list);
		w.end = json_object_iter_end(w.list);
	} else if (w.list && !json_object_is_type(w.list, json_type_array)) {
		w.done = true;
	}
	return w;
}

/* The next element (NULL in it: the object itself has the path), false past the end. */
static bool walk_next(struct walk *w, json_t *o, json_t **element)
{
	if (w->done)
		return false;
	if (!w->list) {
		w->done = true;
		*element = o;
		return true;
	}
	if (json_object_is_type(w->list, json_type_array)) {
		*element = sw_json_idx(w->list, w->i);
		return w->i++ < sw_json_len(w->list);
	}
	if (json_object_iter_equal(&w->at, &w->end))
		return false;
	w->key = json_object_iter_peek_name(&w->at);
	*element = json_object_iter_peek_value(&w->at);
	json_object_iter_next(&w->at);
	w->i++;
	return true;
}

/* What stands at p, inside an element where p has a [*]. "": an element itself is no field of anything. */
static json_t *at(json_t *element, const struct path *p)
{
	if (!p->after)
		return sw_json_at(element, p->before);
	return *p->after ? sw_json_at(element, p->after) : element;
}

/* ---- pod sets --------------------------------------------------------------------------- */

/* "spec.groups[2].template", for messages. */
static void spell(const struct walk *w, const struct path *p, char *buf, size_t size)
{
	if (!p->after)
		snprintf(buf, size, "%s", p->before);
	else if (w->key)
		snprintf(buf, size, "%s.%.40s%s%s", p->before, w->key, *p->after ? "." : "", p->after);
	else
		snprintf(buf, size, "%s[%zu]%s%s", p->before, w->i - 1, *p->after ? "." : "", p->after);
}

static const char *set_name(const struct declared_set *s, const struct walk *w, json_t *element)
{
	const char *name = s->name;

	if (!name && s->name_path.before) {
		json_t *v = at(element, &s->name_path);

		name = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
	} else if (!name) {
		name = w->key;
	}
	return name ? name : "";
}

static const char *count_path(const struct declared_set *s)
{
	return s->count.after ? s->count.after : s->count.before;
}

size_t declared_podsets(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX])
{
	const struct declared *d = of(k);
	size_t n = 0;

	for (size_t i = 0; i < d->n_sets; i++) {
		const struct declared_set *s = &d->sets[i];
		struct walk w = walk_start(job, &s->template);
		json_t *element;

		while (n < SW_PODSETS_MAX && walk_next(&w, job, &element)) {
			char path[144];

			spell(&w, &s->template, path, sizeof(path));
			kinds_podset(&out[n++], set_name(s, &w, element),
				     s->count.before ? kinds_count_lax(element, count_path(s), 1) : 1,
				     at(element, &s->template), path);
		}
	}
	return n;
}

static struct sw_err check_set(const struct sw_kind *k, const struct declared_set *s, json_t *element,
			       const struct sw_podset *set)
{
	int64_t n;
	struct sw_err e = s->count.before ? kinds_count(element, count_path(s), 0, 1, &n) : SW_OK;

	if (!sw_failed(e) && !json_object_is_type(set->template, json_type_object))
		e = sw_err(SW_E_INVALID, "found nothing, expected a pod template of the %s", k->kind);
	return sw_err_wrap(e, "%s", set->path);
}

static struct sw_err check_names(const struct sw_podset *sets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!kinds_is_set_name(sets[i].name))
			return sw_err(SW_E_INVALID,
				      "%s: found \"%s\" as the name of its pods, expected letters, digits "
				      "and '-'",
				      sets[i].path, sets[i].name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(sets[i].name, sets[j].name) == 0)
				return sw_err(SW_E_INVALID, "%s: its pods are called \"%s\", as those of %s",
					      sets[i].path, sets[i].name, sets[j].path);
	}
	return SW_OK;
}

static struct sw_err check_sets(const struct sw_kind *k, json_t *job, size_t *found, int64_t *pods)
{
	const struct declared *d = of(k);
	struct sw_podset sets[SW_PODSETS_MAX];
	size_t n = k->podsets(k, job, sets);
	struct sw_err e = check_names(sets, n);

	for (size_t i = 0; !sw_failed(e) && i < d->n_sets; i++) {
		struct walk w = walk_start(job, &d->sets[i].template);
		json_t *element;

		while (!sw_failed(e) && walk_next(&w, job, &element)) {
			if (*found == SW_PODSETS_MAX)
				return sw_err(SW_E_INVALID, "%s: more than %d sets of pods", k->kind, SW_PODSETS_MAX);
			*pods += sets[*found].count;
			e = check_set(k, &d->sets[i], element, &sets[(*found)++]);
		}
	}
	return e;
}

struct sw_err declared_check(const struct sw_kind *k, json_t *job)
{
	size_t found = 0;
	int64_t pods = 0;
	struct sw_err e = check_sets(k, job, &found, &pods);

	if (!sw_failed(e) && !pods)
		e = sw_err(SW_E_INVALID, "%s: found no pods, expected at least one (%s%s)", k->kind,
			   of(k)->sets[0].template.before, of(k)->sets[0].template.after ? "[*]" : "");
	return e;
}

/* ---- status ------------------------------------------------------------------------------- */

/* The reason, the word, or NULL if it is not so. */
static const char *holds(const struct declared_test *t, json_t *job)
{
	if (t->condition) {
		json_t *c = kinds_status_condition(sw_json_key(job, "status"), t->condition);
		const char *reason = sw_json_str(c, "reason");

		return !c ? NULL : reason ? reason : "";
	}
	const char *found = t->path.before ? sw_json_str(job, t->path.before) : NULL;

	for (size_t i = 0; found && i < t->n_words; i++)
		if (strcmp(found, t->words[i]) == 0)
			return found;
	return NULL;
}

enum sw_outcome declared_outcome(const struct sw_kind *k, json_t *job, const char **why)
{
	const char *failed = holds(&of(k)->failed, job), *succeeded = failed ? NULL : holds(&of(k)->succeeded, job);

	*why = failed ? failed : succeeded ? succeeded : "";
	return failed ? SW_JOB_FAILED : succeeded ? SW_SUCCEEDED : SW_UNFINISHED;
}

int64_t declared_active(const struct sw_kind *k, json_t *job)
{
	const struct declared *d = of(k);
	const char *why;
	int64_t n = 0;

	for (size_t i = 0; i < d->n_active; i++) {
		struct walk w = walk_start(job, &d->active[i]);
		json_t *element;

		while (walk_next(&w, job, &element)) {
			json_t *v = at(element, &d->active[i]);
			int64_t one = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;

			n += one > INT32_MAX ? INT32_MAX : one > 0 ? one : 0;
		}
	}
	if (n > 0)
		return n;
	if (declared_outcome(k, job, &why) != SW_UNFINISHED)
		return 0;
	return sw_kind_suspended(k, job) && holds(&d->suspended, job) ? 0 : 1;
}

static void set_zero(json_t *element, const struct path *p)
{
	if (!json_object_is_type(at(element, p), json_type_int))
		return;
	if (!p->after)
		sw_json_set_int(element, p->before, 0);
	else if (*p->after)
		sw_json_set_int(element, p->after, 0);
	else /* the element itself: an entry of a map of counts */
		json_object_set_int64(element, 0);
}

/* status alone: paths start at the object. */
static json_t *holder_of(json_t *status)
{
	json_t *o = json_object_new_object();

	json_object_object_add(o, "status", json_object_get(status));
	return o;
}

void declared_idle(const struct sw_kind *k, json_t *status)
{
	const struct declared *d = of(k);
	json_t *o = holder_of(status);

	for (size_t i = 0; i < d->n_active; i++) {
		struct walk w = walk_start(o, &d->active[i]);
		json_t *element;

		while (walk_next(&w, o, &element))
			set_zero(element, &d->active[i]);
	}
	if (d->suspended.path.before)
		sw_json_set_str(o, d->suspended.path.before, d->suspended.words[0]);
	json_object_put(o);
}

json_t *declared_status_home(const struct sw_kind *k, json_t *local, json_t *remote, json_t *base)
{
	const struct declared *d = of(k);
	json_t *was = holder_of(local), *now, *before = holder_of(base);
	const char *why;
	bool ended = declared_outcome(k, was, &why) != SW_UNFINISHED;
	json_t *status = ended ? sw_json_copy(local) : remote ? sw_json_copy(remote) : json_object_new_object();

	now = holder_of(status);
	for (size_t i = 0; !ended && i < d->n_counters; i++) {
		const char *path = d->counters[i].before;
		int64_t seen = sw_json_int(was, path, 0), n = sw_json_int(before, path, 0) + sw_json_int(now, path, 0);

		if (seen > 0 || n > 0)
			sw_json_set_int(now, path, seen > n ? seen : n);
	}
	json_object_put(before);
	json_object_put(now);
	json_object_put(was);
	return status;
}
