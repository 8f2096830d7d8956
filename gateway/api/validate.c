/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate.c - the 422: collecting what is wrong with an object that has the right shape
 *
 * Order: the schema's rules, metadata, the kind's own rules. Everything found is reported at once, up to
 * SW_CAUSES_MAX.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "check_priv.h"
#include "spillway/text.h"

static const char *path_of(const struct check *c, const struct step *at, char *buf)
{
	return step_path(at, c->builtin ? PATH_BRACKETS : PATH_DOTS, buf);
}

void check_required(struct check *c, const struct step *at, const char *detail)
{
	char path[PATH_MAX_BYTES];

	sw_cause_required(&c->causes, path_of(c, at, path), detail);
}

void check_invalid(struct check *c, const struct step *at, json_t *v, const char *fmt, ...)
{
	char path[PATH_MAX_BYTES], text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sw_cause_invalid(&c->causes, path_of(c, at, path), v, "%s", text);
}

void check_forbidden(struct check *c, const struct step *at, const char *fmt, ...)
{
	char path[PATH_MAX_BYTES], text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sw_cause_forbidden(&c->causes, path_of(c, at, path), "%s", text);
}

void check_not_supported(struct check *c, const struct step *at, json_t *v, const char *const *words, size_t n)
{
	char path[PATH_MAX_BYTES];

	sw_cause_not_supported(&c->causes, path_of(c, at, path), v, words, n);
}

void check_duplicate(struct check *c, const struct step *at, json_t *v)
{
	char path[PATH_MAX_BYTES];

	sw_cause_duplicate(&c->causes, path_of(c, at, path), v);
}

void check_not_found(struct check *c, const struct step *at, json_t *v)
{
	char path[PATH_MAX_BYTES];

	sw_cause_not_found(&c->causes, path_of(c, at, path), v);
}

bool check_budget(struct check *c, const struct step *at, size_t n)
{
	bool had = c->compared <= COMPARED_MAX;

	if (had)
		c->compared += n;
	if (c->compared <= COMPARED_MAX)
		return true;
	if (had)
		check_forbidden(c, at, "too many names to compare: split the object, or shorten this list");
	return false;
}

/* ---- shared rules ------------------------------------------------------------------------------ */

bool text_is(json_t *v, const char *s)
{
	return v && json_object_is_type(v, json_type_string) && strcmp(json_object_get_string(v), s) == 0;
}

void check_not_negative(struct check *c, const struct step *up, json_t *o, const char *name)
{
	json_t *v = sw_json_key(o, name);

	if (v && json_object_get_int64(v) < 0)
		check_invalid(c, AT_FIELD(up, name), v, "must be greater than or equal to 0");
}

void check_range(struct check *c, const struct step *at, json_t *v, int64_t least, int64_t most)
{
	int64_t n = v ? json_object_get_int64(v) : least;

	if (n < least || n > most)
		check_invalid(c, at, v, "must be between %lld and %lld, inclusive", (long long)least, (long long)most);
}

bool check_dns_label(struct check *c, const struct step *at, json_t *v)
{
	if (!v || sw_is_dns_label(json_object_get_string(v)))
		return true;
	check_invalid(c, at, v,
		      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
		      "start and "
		      "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
		      "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
	return false;
}

void check_subdomain(struct check *c, const struct step *at, json_t *v)
{
	if (!v || sw_is_subdomain(json_object_get_string(v)))
		return;
	check_invalid(c, at, v,
		      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
		      "and must "
		      "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
		      "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
}

void check_immutable(struct check *c, const struct step *up, json_t *o, json_t *old, const char *name)
{
	json_t *v = sw_json_key(o, name);

	if (!json_object_equal(v, sw_json_key(old, name)))
		check_invalid(c, AT_FIELD(up, name), v, "field is immutable");
}

json_t *sw_object_validate(const struct sw_schema *s, const struct sw_resource *r, const char *sub, json_t *o,
			   json_t *old)
{
	struct check c = {.r = r, .builtin = r->flags & SW_RES_BUILTIN};
	json_t *no;

	check_schema(&c, schema_message(s, r->message), o, !c.builtin);
	if (!(r->flags & SW_RES_REVIEW))
		check_metadata(&c, o, old);
	check_kind(&c, sub, o, old);
	if (!sub)
		check_unhonoured(&c, o);
	no = sw_status_invalid(r, sw_json_str(o, "metadata.name"), &c.causes);
	sw_causes_fini(&c.causes);
	return no;
}
