/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_schema.c - the rules that are data: required fields, enums, bounds, patterns, keys of lists
 *
 * Runs after decoding and defaulting, so types are right already. A built-in kind's status is not checked: its
 * writers are controllers, and a half-filled status is better than none.
 */
#include <string.h>
#include "check_priv.h"
#include "spillway/text.h"

static void check_message(struct check *c, const struct message *m, json_t *o, const struct step *up);

static size_t code_points(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static bool is_word_of(const struct field *f, const char *s)
{
	for (size_t i = 0; i < f->enums.n; i++)
		if (strcmp(f->enums.at[i], s) == 0)
			return true;
	return false;
}

/* metav1.Condition's reason: a letter, then letters, digits, _ , : not ending in one of the last two */
static bool is_reason(const char *s)
{
	size_t n = strlen(s);
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (n == 0 || !strchr(letters, s[0]) || s[n - 1] == ',' || s[n - 1] == ':')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_,:") == n;
}

static void check_pattern(struct check *c, const struct field *f, json_t *v, const struct step *at)
{
	const char *s = json_object_get_string(v);

	switch (f->pattern) {
	case P_SUBDOMAIN:
		check_subdomain(c, at, v);
		break;
	case P_LABEL:
		check_dns_label(c, at, v);
		break;
	case P_KEY:
		if (!sw_is_label_key(s))
			check_invalid(c, at, v,
				      "must be a qualified name: an optional DNS subdomain and '/', then letters, "
				      "digits, '-', '_', '.'");
		break;
	case P_REASON:
		if (!is_reason(s))
			check_invalid(c, at, v, "must be letters, digits, '_', ',' and ':', beginning with a letter");
		break;
	default:
		break;
	}
}

static void check_string(struct check *c, const struct field *f, json_t *v, const struct step *at)
{
	const char *s = json_object_get_string(v);
	char path[PATH_MAX_BYTES];

	if (!*s && c->builtin)
		return; /* in Go the empty string is "not set" */
	if (f->enums.n && !is_word_of(f, s))
		check_not_supported(c, at, v, f->enums.at, f->enums.n);
	if (f->max_len >= 0 && code_points(s) > (size_t)f->max_len)
		sw_cause_too_long(&c->causes, step_path(at, PATH_DOTS, path), v, "may not be more than %lld bytes",
				  (long long)f->max_len);
	else if (f->min_len > 0 && code_points(s) < (size_t)f->min_len)
		check_invalid(c, at, v, "should be at least %lld chars long", (long long)f->min_len);
	else if (f->pattern && (*s || f->required))
		check_pattern(c, f, v, at);
}

static void check_number(struct check *c, const struct field *f, json_t *v, const struct step *at)
{
	int64_t n = json_object_get_int64(v);

	if (f->has_min && n < f->min)
		check_invalid(c, at, v, "should be greater than or equal to %lld", (long long)f->min);
	if (f->has_max && n > f->max)
		check_invalid(c, at, v, "should be less than or equal to %lld", (long long)f->max);
}

static void check_count(struct check *c, const struct field *f, size_t n, const struct step *at)
{
	if (f->max_n >= 0 && n > (size_t)f->max_n)
		check_invalid(c, at, NULL, "must have at most %lld items, has %zu", (long long)f->max_n, n);
	if (f->min_n >= 0 && n < (size_t)f->min_n)
		check_invalid(c, at, NULL, "should have at least %lld items, has %zu", (long long)f->min_n, n);
}

static bool same_keys(const struct field *f, json_t *a, json_t *b)
{
	for (size_t i = 0; i < f->list_keys.n; i++)
		if (!json_object_equal(sw_json_key(a, f->list_keys.at[i]), sw_json_key(b, f->list_keys.at[i])))
			return false;
	return true;
}

/* CRD kinds: entries of a keyed list, members of a set, may not repeat. Built-in kinds have rules of their own. */
static void check_unique(struct check *c, const struct field *f, json_t *list, const struct step *up)
{
	size_t n = json_object_array_length(list);

	if (c->builtin || (!f->list_keys.n && !f->is_set))
		return;
	for (size_t i = 1; i < n && check_budget(c, up, i); i++)
		for (size_t j = 0; j < i; j++) {
			json_t *a = json_object_array_get_idx(list, i), *b = json_object_array_get_idx(list, j);

			if (f->list_keys.n ? same_keys(f, a, b) : json_object_equal(a, b)) {
				check_duplicate(c, AT_INDEX(up, i),
						f->list_keys.n ? sw_json_key(a, f->list_keys.at[0]) : a);
				break;
			}
		}
}

static void check_value(struct check *c, const struct field *f, unsigned depth, json_t *v, const struct step *at)
{
	enum shape shape = depth < SHAPES ? f->shape[depth] : SHAPE_ONE;

	if (!v)
		return;
	if (shape == SHAPE_LIST) {
		check_count(c, f, sw_json_len(v), at);
		check_unique(c, f, v, at);
		for (size_t i = 0; i < sw_json_len(v); i++)
			check_value(c, f, depth + 1, json_object_array_get_idx(v, i), AT_INDEX(at, i));
	} else if (shape == SHAPE_MAP) {
		check_count(c, f, (size_t)json_object_object_length(v), at);
		json_object_object_foreach(v, key, item) check_value(c, f, depth + 1, item, AT_KEY(at, key));
	} else if (f->base == B_MESSAGE) {
		check_message(c, f->message, v, at);
	} else if (json_object_is_type(v, json_type_string)) {
		check_string(c, f, v, at);
	} else if (json_object_is_type(v, json_type_int)) {
		check_number(c, f, v, at);
	}
}

static bool is_missing(const struct check *c, const struct field *f, json_t *v)
{
	if (!v)
		return true;
	return c->builtin && f->shape[0] == SHAPE_ONE && json_object_is_type(v, json_type_string) &&
	       json_object_get_string_len(v) == 0;
}

static bool has_rule(const struct field *f)
{
	if (f->message)
		return f->message->deep_required || f->max_n >= 0 || f->min_n >= 0 || f->list_keys.n;
	return f->enums.n || f->has_min || f->has_max || f->min_len >= 0 || f->max_len >= 0 || f->min_n >= 0 ||
	       f->max_n >= 0 || f->pattern || f->is_set;
}

static void check_message(struct check *c, const struct message *m, json_t *o, const struct step *up)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct field *f = &m->fields[i];
		json_t *v = NULL;

		if (!f->required && !has_rule(f))
			continue;
		json_object_object_get_ex(o, f->name, &v);
		if (f->required && is_missing(c, f, v))
			check_required(c, AT_FIELD(up, f->name), "");
		else if (v && has_rule(f))
			check_value(c, f, 0, v, AT_FIELD(up, f->name));
	}
}

void check_schema(struct check *c, const struct message *m, json_t *o, bool with_status)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct field *f = &m->fields[i];
		json_t *v = sw_json_key(o, f->name);

		if (!with_status && strcmp(f->name, "status") == 0)
			continue;
		if (f->required && is_missing(c, f, v))
			check_required(c, AT_FIELD(NULL, f->name), "");
		else
			check_value(c, f, 0, v, AT_FIELD(NULL, f->name));
	}
}
