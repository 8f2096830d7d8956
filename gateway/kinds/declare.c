/* SPDX-License-Identifier: Apache-2.0 */
/*
 * declare.c - reads the declaration of a kind, strictly
 *
 * Every mistake is found when the configuration is read, and shown at its place in the file: a path that is a word
 * short would otherwise be found when a job never ends.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "declared.h"
#include "spillway/text.h"

enum { PATH_MAX_BYTES = 100 };

/* One value of the declaration: where it stands, and what it is called in messages. */
struct field {
	json_t *parent, *value;
	const char *key;
	struct sw_kind_fault *at;
};

__attribute__((format(printf, 2, 3))) static struct sw_err fault(const struct field *f, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*f->at = (struct sw_kind_fault){f->parent, f->key};
	return sw_err(SW_E_INVALID, "%s: %s", f->key, text);
}

static const char *shown(const struct field *f)
{
	return f->value ? json_object_to_json_string_ext(f->value, JSON_C_TO_STRING_PLAIN) : "nothing";
}

static struct sw_err text_read(const struct field *f, const char *expected, const char **out)
{
	*out = json_object_is_type(f->value, json_type_string) ? json_object_get_string(f->value) : NULL;
	if (!*out || !**out || strlen(*out) != (size_t)json_object_get_string_len(f->value))
		return fault(f, "found %.60s, expected %s", shown(f), expected);
	return SW_OK;
}

/* ---- paths ------------------------------------------------------------------------------ */

static bool is_path(const char *s)
{
	bool in_word = false;

	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || *s == '_' || *s == '-')
			in_word = true;
		else if (*s == '.' && in_word)
			in_word = false;
		else
			return false;
	}
	return in_word;
}

/* Cuts text at its [*]: false if what is left on either side is no path. */
static bool path_cut(char *text, struct path *out)
{
	char *every = strstr(text, "[*]"), *rest = every ? every + 3 : NULL;

	if (every)
		*every = '\0';
	if (!is_path(text) || (rest && *rest && (*rest != '.' || !is_path(rest + 1))))
		return false;
	*out = (struct path){sw_strdup(text), rest ? sw_strdup(*rest ? rest + 1 : rest) : NULL};
	return true;
}

/* root: "spec" or "status". star: may it have a [*]? */
static struct sw_err path_read(const struct field *f, const char *root, bool star, struct path *out)
{
	const char *text;
	char copy[PATH_MAX_BYTES + 1];
	struct sw_err e = text_read(f, "a path such as \"spec.template\"", &text);
	size_t n = strlen(root);

	if (sw_failed(e))
		return e;
	SW_REQUIRE(text);
	if (strlen(text) > PATH_MAX_BYTES)
		return fault(f, "found a path of %zu bytes, expected at most %d", strlen(text), PATH_MAX_BYTES);
	if (strncmp(text, root, n) != 0 || text[n] != '.')
		return fault(f, "found \"%s\", expected a path that begins with \"%s.\"", text, root);
	if (strstr(text, "[*]") && !star)
		return fault(f, "found \"%s\", expected a path to one value, without [*]", text);
	snprintf(copy, sizeof(copy), "%s", text);
	if (!path_cut(copy, out))
		return fault(f, "found \"%s\", expected keys with dots between them%s", text,
			     star ? ", one of them with [*] behind it" : "");
	return SW_OK;
}

static void path_free(struct path *p)
{
	free(p->before);
	free(p->after);
}

/* Into one path or a list of them. */
static struct sw_err paths_read(const struct field *f, bool star, struct path *out, size_t *n)
{
	struct field one = *f;
	struct sw_err e = SW_OK;

	if (!json_object_is_type(f->value, json_type_array)) {
		*n = 1;
		return path_read(f, "status", star, &out[0]);
	}
	if (sw_json_len(f->value) > DECLARED_PATHS_MAX)
		return fault(f, "found %zu paths, expected at most %d", sw_json_len(f->value), DECLARED_PATHS_MAX);
	for (size_t i = 0; !sw_failed(e) && i < sw_json_len(f->value); i++) {
		one.value = sw_json_idx(f->value, i);
		*n = i + 1;
		e = path_read(&one, "status", star, &out[i]);
	}
	return e;
}

/* ---- maps with known keys -------------------------------------------------------------------- */

/* Every key of map must be one of names (NULL-terminated). */
static struct sw_err keys_check(json_t *map, const char *what, const char *const *names, struct sw_kind_fault *at)
{
	int n = 0;

	while (names[n])
		n++;
	json_object_object_foreach(map, key, v)
	{
		int i = 0;

		(void)v;
		while (i < n && strcmp(names[i], key) != 0)
			i++;
		if (i < n)
			continue;
		const char *near = sw_nearest(key, names, n);

		*at = (struct sw_kind_fault){map, key};
		return sw_err(SW_E_INVALID, "%s has no \"%.60s\"%s%s%s", what, key, near ? ", did you mean \"" : "",
			      near ? near : "", near ? "\"?" : "");
	}
	return SW_OK;
}

static struct field field_of(json_t *map, const char *key, struct sw_kind_fault *at)
{
	return (struct field){map, sw_json_key(map, key), key, at};
}

/* ---- tests ----------------------------------------------------------------------------------- */

static bool is_condition_type(const char *s)
{
	SW_REQUIRE(s);
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_./", *p))
			return false;
	return strlen(s) <= 316;
}

static struct sw_err words_read(const struct field *f, struct declared_test *out)
{
	struct field one = *f;
	struct sw_err e = SW_OK;
	size_t n = sw_json_len(f->value);

	if (!n || n > DECLARED_WORDS_MAX)
		return fault(f, "found %.60s, expected a list of 1 to %d words", shown(f), DECLARED_WORDS_MAX);
	for (size_t i = 0; !sw_failed(e) && i < n; i++) {
		const char *word;

		one.value = sw_json_idx(f->value, i);
		e = text_read(&one, "words", &word);
		if (!sw_failed(e))
			out->words[out->n_words++] = sw_strdup(word);
	}
	return e;
}

static struct sw_err test_read(const struct field *f, struct declared_test *out)
{
	static const char *const keys[] = {"path", "values", NULL};
	const char *text;
	struct field path = field_of(f->value, "path", f->at), values = field_of(f->value, "values", f->at);
	struct sw_err e;

	if (json_object_is_type(f->value, json_type_object)) {
		e = keys_check(f->value, f->key, keys, f->at);
		if (!sw_failed(e))
			e = path_read(&path, "status", false, &out->path);
		return sw_failed(e) ? e : words_read(&values, out);
	}
	e = text_read(f, "the type of a condition, or a map of path and values", &text);
	if (!sw_failed(e) && !is_condition_type(text))
		e = fault(f, "found \"%.60s\", expected the type of a condition", text);
	if (!sw_failed(e))
		out->condition = sw_strdup(text);
	return e;
}

static void test_free(struct declared_test *t)
{
	free(t->condition);
	path_free(&t->path);
	for (size_t i = 0; i < t->n_words; i++)
		free(t->words[i]);
}

static struct sw_err status_read(const struct field *f, struct declared *d)
{
	static const char *const keys[] = {"succeeded", "failed", "suspended", "active", "counters", NULL};
	struct field succeeded = field_of(f->value, "succeeded", f->at), failed = field_of(f->value, "failed", f->at),
		     suspended = field_of(f->value, "suspended", f->at), active = field_of(f->value, "active", f->at),
		     counters = field_of(f->value, "counters", f->at);
	struct sw_err e;

	if (!json_object_is_type(f->value, json_type_object))
		return fault(f, "found %.60s, expected a map of succeeded, failed, suspended and active", shown(f));
	e = keys_check(f->value, "status", keys, f->at);
	if (!sw_failed(e))
		e = test_read(&succeeded, &d->succeeded);
	if (!sw_failed(e))
		e = test_read(&failed, &d->failed);
	if (!sw_failed(e) && suspended.value)
		e = test_read(&suspended, &d->suspended);
	else if (!sw_failed(e))
		d->suspended.condition = sw_strdup("Suspended");
	if (!sw_failed(e))
		e = paths_read(&active, true, d->active, &d->n_active);
	if (!sw_failed(e) && counters.value)
		e = paths_read(&counters, false, d->counters, &d->n_counters);
	return e;
}

/* ---- pod sets ---------------------------------------------------------------------------------- */

/* count and name of a set stand beside its template, in the same element. */
static bool same_element(const struct path *a, const struct path *b)
{
	return !a->after == !b->after && (!a->after || strcmp(a->before, b->before) == 0);
}

static struct sw_err set_rules(struct field *name, struct field *from, struct field *count, struct declared_set *s)
{
	if (s->name && from->value)
		return fault(from, "there is a name already, expected one of the two");
	if (s->name && s->template.after)
		return fault(name, "a template with [*] makes many sets of pods, expected name_from");
	if (!s->name && !from->value && !s->template.after) {
		name->key = "template"; /* what is not there has no place in the file */
		return fault(name, "its pods need a name: expected `name: main` beside it");
	}
	if (s->name && !kinds_is_set_name(s->name))
		return fault(name, "found \"%.70s\", expected letters, digits and '-'", s->name);
	if (s->name_path.before && !same_element(&s->name_path, &s->template))
		return fault(from, "expected a path in the same list or map as template");
	if (s->count.before && !same_element(&s->count, &s->template))
		return fault(count, "expected a path in the same list or map as template");
	return SW_OK;
}

static struct sw_err set_read(json_t *map, struct sw_kind_fault *at, struct declared_set *s)
{
	static const char *const keys[] = {"name", "name_from", "template", "count", NULL};
	struct field name = field_of(map, "name", at), from = field_of(map, "name_from", at),
		     template = field_of(map, "template", at), count = field_of(map, "count", at);
	const char *text;
	struct sw_err e = keys_check(map, "a pod set", keys, at);

	if (!sw_failed(e))
		e = path_read(&template, "spec", true, &s->template);
	if (!sw_failed(e) && name.value) {
		e = text_read(&name, "a name", &text);
		s->name = sw_failed(e) ? NULL : sw_strdup(text);
	}
	if (!sw_failed(e) && from.value)
		e = path_read(&from, "spec", true, &s->name_path);
	if (!sw_failed(e) && count.value)
		e = path_read(&count, "spec", true, &s->count);
	return sw_failed(e) ? e : set_rules(&name, &from, &count, s);
}

static struct sw_err sets_read(const struct field *f, struct declared *d)
{
	size_t n = sw_json_len(f->value);
	struct sw_err e = SW_OK;

	if (!n || n > DECLARED_SETS_MAX)
		return fault(f, "found %.60s, expected a list of 1 to %d maps with template, name and count", shown(f),
			     DECLARED_SETS_MAX);
	for (size_t i = 0; !sw_failed(e) && i < n; i++) {
		json_t *map = sw_json_idx(f->value, i);

		if (!json_object_is_type(map, json_type_object))
			return fault(f, "found %.60s, expected maps with template, name and count", shown(f));
		d->n_sets = i + 1;
		e = set_read(map, f->at, &d->sets[i]);
	}
	return e;
}

/* ---- what it is called ------------------------------------------------------------------------------ */

static bool is_kind_word(const char *s)
{
	SW_REQUIRE(s);
	size_t n = strlen(s);

	if (!isupper((unsigned char)*s) || n > 63)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]))
			return false;
	return true;
}

static struct sw_err api_read(const struct field *f, struct sw_kind *row)
{
	static const char *const ours[] = {"kueue.x-k8s.io", "spillway.dev"};
	const char *text, *slash;
	struct sw_err e = text_read(f, "GROUP/VERSION, such as \"example.org/v1\"", &text);

	if (sw_failed(e))
		return e;
	SW_REQUIRE(text);
	slash = strchr(text, '/');
	row->group = slash ? sw_asprintf("%.*s", (int)(slash - text), text) : NULL;
	row->version = slash ? sw_strdup(slash + 1) : NULL;
	if (!slash || !sw_is_subdomain(row->group) || !strchr(row->group, '.') || !sw_is_dns_label(row->version))
		return fault(f, "found \"%.80s\", expected GROUP/VERSION with a dot in the group: \"example.org/v1\"",
			     text);
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (strcmp(row->group, ours[i]) == 0)
			return fault(f, "found \"%s\": kinds of that group are no jobs", text);
	return SW_OK;
}

static struct sw_err names_read(json_t *map, struct sw_kind_fault *at, struct sw_kind *row)
{
	struct field api = field_of(map, "api_version", at), kind = field_of(map, "kind", at),
		     plural = field_of(map, "plural", at), label = field_of(map, "job_name_label", at);
	const char *text = NULL;
	struct sw_err e = api_read(&api, row);

	if (!sw_failed(e))
		e = text_read(&kind, "the kind, such as \"TrainingRun\"", &text);
	if (!sw_failed(e) && !is_kind_word(text))
		e = fault(&kind, "found \"%.70s\", expected a word like \"TrainingRun\"", text);
	row->kind = sw_failed(e) ? NULL : sw_strdup(text);
	if (!sw_failed(e))
		e = text_read(&plural, "its plural in the API, such as \"trainingruns\"", &text);
	if (!sw_failed(e) && !sw_is_dns_label(text))
		e = fault(&plural, "found \"%.70s\", expected lower-case letters and digits", text);
	row->plural = sw_failed(e) ? NULL : sw_strdup(text);
	if (!sw_failed(e) && label.value) {
		e = text_read(&label, "the key of a label", &text);
		if (!sw_failed(e) && !sw_is_label_key(text))
			e = fault(&label, "found \"%.80s\", expected the key of a label", text);
	} else {
		text = SW_LABEL_JOB;
	}
	row->job_name_label = sw_failed(e) ? NULL : sw_strdup(text);
	return e;
}

static struct sw_err plain_path(json_t *map, const char *key, bool needed, struct sw_kind_fault *at, const char **out)
{
	struct field f = field_of(map, key, at);
	struct path p = {0};
	struct sw_err e;

	if (!f.value && !needed)
		return SW_OK;
	e = path_read(&f, "spec", false, &p);
	*out = p.before;
	return e;
}

static bool clashes(const struct sw_kind *a, const struct sw_kind *b)
{
	SW_REQUIRE(a->group && a->version && a->kind && a->plural);
	return strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0 &&
	       (strcmp(a->kind, b->kind) == 0 || strcmp(a->plural, b->plural) == 0);
}

/* A second version of a kind has its version in its resource's name, as kubectl writes it. */
static struct sw_err resource_make(json_t *map, struct sw_kind_fault *at, const struct sw_kind *const *earlier,
				   size_t n, struct sw_kind *row)
{
	struct field kind = field_of(map, "kind", at);
	const struct sw_kind *other;
	bool second = false;

	for (size_t i = 0; (other = i < n ? earlier[i] : sw_kind_built_in(i - n)); i++) {
		if (clashes(row, other))
			return fault(&kind, "%s/%s %s (%s) is known already", other->group, other->version, other->kind,
				     other->plural);
		second = second || (strcmp(row->group, other->group) == 0 && strcmp(row->plural, other->plural) == 0);
	}
	row->resource = second ? sw_asprintf("%s.%s.%s", row->plural, row->version, row->group)
			       : sw_asprintf("%s.%s", row->plural, row->group);
	return SW_OK;
}

static const struct sw_kind functions = {
	.podsets = declared_podsets,
	.check = declared_check,
	.outcome = declared_outcome,
	.active = declared_active,
	.idle = declared_idle,
	.prepare = kinds_prepare,
	.status_home = declared_status_home,
};

struct sw_err sw_kind_declare(json_t *map, const struct sw_kind *const *earlier, size_t n, struct sw_kind **out,
			      struct sw_kind_fault *at)
{
	static const char *const keys[] = {"api_version", "kind", "plural",   "job_name_label", "suspend",
					   "managed_by",  "ttl",  "pod_sets", "status",         NULL};
	struct declared *d = sw_calloc(1, sizeof(*d));
	struct field sets = field_of(map, "pod_sets", at), status = field_of(map, "status", at);
	struct sw_err e;

	*out = NULL;
	*at = (struct sw_kind_fault){map, NULL};
	d->row = functions;
	e = json_object_is_type(map, json_type_object)
		    ? keys_check(map, "a kind", keys, at)
		    : sw_err(SW_E_INVALID, "expected a map with api_version, kind, ...");
	if (!sw_failed(e))
		e = names_read(map, at, &d->row);
	if (!sw_failed(e))
		e = plain_path(map, "suspend", true, at, &d->row.suspend_path);
	if (!sw_failed(e))
		e = plain_path(map, "managed_by", true, at, &d->row.managed_by_path);
	if (!sw_failed(e))
		e = plain_path(map, "ttl", false, at, &d->row.ttl_path);
	if (!sw_failed(e))
		e = sets_read(&sets, d);
	if (!sw_failed(e))
		e = status_read(&status, d);
	if (!sw_failed(e))
		e = resource_make(map, at, earlier, n, &d->row);
	if (sw_failed(e)) {
		sw_kind_free(&d->row);
		return e;
	}
	*out = &d->row;
	return SW_OK;
}

void sw_kind_free(struct sw_kind *k)
{
	struct declared *d = (struct declared *)k;

	if (!d)
		return;
	const char *owned[] = {k->group,        k->version,         k->kind,
			       k->plural,       k->resource,        k->job_name_label,
			       k->suspend_path, k->managed_by_path, k->ttl_path};

	for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++)
		free((char *)(uintptr_t)owned[i]);
	for (size_t i = 0; i < d->n_sets; i++) {
		free(d->sets[i].name);
		path_free(&d->sets[i].name_path);
		path_free(&d->sets[i].template);
		path_free(&d->sets[i].count);
	}
	for (size_t i = 0; i < DECLARED_PATHS_MAX; i++) {
		path_free(&d->active[i]);
		path_free(&d->counters[i]);
	}
	test_free(&d->succeeded);
	test_free(&d->failed);
	test_free(&d->suspended);
	free(d);
}
