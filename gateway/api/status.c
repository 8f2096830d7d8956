/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - building metav1.Status objects and lists of field errors
 *
 * The words are those that kubectl users know from the real server; clients decide by reason and code alone.
 */
#include "spillway/status.h"
#include <stdio.h>
#include <string.h>
#include "spillway/buf.h"
#include "spillway/text.h"

enum { MESSAGE_MAX = 64 << 10, VALUE_SHOWN_MAX = 512 };

static const struct {
	int code;
	const char *word;
} reasons[] = {
#define X(id, code, word) [SW_REASON_##id] = {code, word},
	SW_REASON_MAP(X)
#undef X
};

static void put_str(json_t *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static json_t *status_new(enum sw_reason reason, const char *message)
{
	json_t *o = json_object_new_object();

	put_str(o, "kind", "Status");
	put_str(o, "apiVersion", "v1");
	json_object_object_add(o, "metadata", json_object_new_object());
	put_str(o, "status", "Failure");
	put_str(o, "message", message);
	put_str(o, "reason", reasons[reason].word);
	json_object_object_add(o, "code", json_object_new_int(reasons[reason].code));
	return o;
}

__attribute__((format(printf, 2, 0))) static json_t *status_printf(enum sw_reason reason, const char *fmt, va_list ap)
{
	struct sw_buf b;
	json_t *o;

	sw_buf_init(&b, MESSAGE_MAX);
	sw_buf_vprintf(&b, fmt, ap);
	o = status_new(reason, sw_buf_ok(&b) && b.at ? b.at : "the message was too long to be told");
	sw_buf_fini(&b);
	return o;
}

json_t *sw_status(enum sw_reason reason, const char *fmt, ...)
{
	va_list ap;
	json_t *o;

	va_start(ap, fmt);
	o = status_printf(reason, fmt, ap);
	va_end(ap);
	return o;
}

int sw_status_code(json_t *status)
{
	json_t *code = NULL;

	if (!json_object_object_get_ex(status, "code", &code))
		return 500;
	return json_object_get_int(code);
}

const char *sw_status_message(json_t *status)
{
	json_t *m = NULL;

	if (!json_object_object_get_ex(status, "message", &m))
		return "";
	return json_object_get_string(m);
}

static json_t *status_part(json_t *o, const char *key, bool array)
{
	json_t *part = NULL;

	if (json_object_object_get_ex(o, key, &part))
		return part;
	part = array ? json_object_new_array() : json_object_new_object();
	json_object_object_add(o, key, part);
	return part;
}

void sw_status_details(json_t *status, const char *name, const char *group, const char *kind)
{
	json_t *d = status_part(status, "details", false);

	if (name && *name)
		put_str(d, "name", name);
	if (group && *group)
		put_str(d, "group", group);
	if (kind && *kind)
		put_str(d, "kind", kind);
}

static json_t *cause_new(const char *reason, const char *field, const char *message)
{
	json_t *c = json_object_new_object();

	put_str(c, "reason", reason);
	put_str(c, "message", message);
	if (field && *field)
		put_str(c, "field", field);
	return c;
}

void sw_status_cause(json_t *status, const char *reason, const char *field, const char *fmt, ...)
{
	struct sw_buf b;
	va_list ap;

	sw_buf_init(&b, MESSAGE_MAX);
	va_start(ap, fmt);
	sw_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	json_object_array_add(status_part(status_part(status, "details", false), "causes", true),
			      cause_new(reason, field, b.at ? b.at : ""));
	sw_buf_fini(&b);
}

void sw_status_retry_after(json_t *status, int seconds)
{
	json_object_object_add(status_part(status, "details", false), "retryAfterSeconds",
			       json_object_new_int(seconds));
}

json_t *sw_status_not_found(const struct sw_resource *r, const char *name)
{
	json_t *o = sw_status(SW_REASON_NOT_FOUND, "%s \"%s\" not found", r->id, name);

	sw_status_details(o, name, r->group, r->plural);
	return o;
}

json_t *sw_status_namespace_missing(const char *ns)
{
	json_t *o = sw_status(SW_REASON_NOT_FOUND, "namespaces \"%s\" not found", ns);

	sw_status_details(o, ns, NULL, "namespaces");
	return o;
}

json_t *sw_status_no_resource(void)
{
	json_t *o = sw_status(SW_REASON_NOT_FOUND, "the server could not find the requested resource");

	status_part(o, "details", false);
	return o;
}

json_t *sw_status_exists(const struct sw_resource *r, const char *name, bool being_deleted)
{
	json_t *o = sw_status(SW_REASON_EXISTS, "%s%s \"%s\" already exists",
			      being_deleted ? "object is being deleted: " : "", r->id, name);

	sw_status_details(o, name, r->group, r->plural);
	return o;
}

json_t *sw_status_conflict(const struct sw_resource *r, const char *name, const char *why)
{
	json_t *o = sw_status(
		SW_REASON_CONFLICT, "Operation cannot be fulfilled on %s \"%s\": %s", r->id, name,
		why ? why
		    : "the object has been modified; please apply your changes to the latest version and try again");

	sw_status_details(o, name, r->group, r->plural);
	return o;
}

json_t *sw_status_forbidden(const struct sw_resource *r, const char *name, const char *user, const char *verb,
			    const char *sub, const char *ns)
{
	struct sw_buf b;
	json_t *o;

	sw_buf_init(&b, MESSAGE_MAX);
	sw_buf_puts(&b, r->id);
	if (name && *name)
		sw_buf_printf(&b, " \"%s\"", name);
	sw_buf_printf(&b, " is forbidden: User \"%s\" cannot %s resource \"%s%s%s\" in API group \"%s\"", user, verb,
		      r->plural, sub && *sub ? "/" : "", sub ? sub : "", r->group);
	if (ns && *ns)
		sw_buf_printf(&b, " in the namespace \"%s\"", ns);
	else
		sw_buf_puts(&b, " at the cluster scope");
	o = status_new(SW_REASON_FORBIDDEN, b.at ? b.at : "forbidden");
	sw_buf_fini(&b);
	sw_status_details(o, name, r->group, r->plural);
	return o;
}

json_t *sw_status_media_type(const struct sw_resource *r)
{
	bool builtin = r && (r->flags & SW_RES_BUILTIN);

	return sw_status(SW_REASON_MEDIA_TYPE,
			 "the body of the request was in an unknown format - accepted media types include: "
			 "application/json-patch+json, application/merge-patch+json, %sapplication/apply-patch+yaml",
			 builtin ? "application/strategic-merge-patch+json, " : "");
}

static const enum sw_reason reason_of_code[SW_E__COUNT] = {
	[SW_E_OK] = SW_REASON_INTERNAL,
	[SW_E_CONFLICT] = SW_REASON_CONFLICT,
	[SW_E_EXISTS] = SW_REASON_EXISTS,
	[SW_E_GONE] = SW_REASON_EXPIRED,
	[SW_E_NET] = SW_REASON_UNAVAILABLE,
	[SW_E_TIMEOUT] = SW_REASON_TIMEOUT,
	[SW_E_BUSY] = SW_REASON_TOO_MANY,
	[SW_E_AUTH] = SW_REASON_UNAUTHORIZED,
	[SW_E_FORBIDDEN] = SW_REASON_FORBIDDEN,
	[SW_E_NOMEM] = SW_REASON_UNAVAILABLE,
	[SW_E_IO] = SW_REASON_FULL,
	[SW_E_MISSING] = SW_REASON_NOT_FOUND,
	[SW_E_INVALID] = SW_REASON_BAD_REQUEST,
	[SW_E_TOOBIG] = SW_REASON_TOO_LARGE,
	[SW_E_UNSUPPORTED] = SW_REASON_NO_METHOD,
	[SW_E_POLICY] = SW_REASON_INTERNAL,
	[SW_E_CANCELED] = SW_REASON_UNAVAILABLE,
};

json_t *sw_status_of(struct sw_err e, const struct sw_resource *r, const char *name)
{
	json_t *o;

	if (r && name && e.code == SW_E_MISSING)
		return sw_status_not_found(r, name);
	if (r && name && e.code == SW_E_EXISTS)
		return sw_status_exists(r, name, false);
	if (r && name && e.code == SW_E_CONFLICT)
		return sw_status_conflict(r, name, NULL);
	o = sw_status(reason_of_code[e.code], "%s", e.text);
	if (r)
		sw_status_details(o, name, r->group, r->plural);
	if (e.code == SW_E_BUSY)
		sw_status_retry_after(o, 1);
	return o;
}

json_t *sw_status_success(const struct sw_resource *r, const char *name, const char *uid)
{
	json_t *o = json_object_new_object();

	put_str(o, "kind", "Status");
	put_str(o, "apiVersion", "v1");
	json_object_object_add(o, "metadata", json_object_new_object());
	put_str(o, "status", "Success");
	sw_status_details(o, name, r->group, r->plural);
	if (uid && *uid)
		put_str(status_part(o, "details", false), "uid", uid);
	return o;
}

/* ---- causes ------------------------------------------------------------------------------------ */

void sw_causes_fini(struct sw_causes *c)
{
	json_object_put(c->list);
	*c = (struct sw_causes){0};
}

static void causes_add(struct sw_causes *c, const char *reason, const char *path, const char *message)
{
	if (c->n >= SW_CAUSES_MAX) {
		c->dropped++;
		return;
	}
	if (!c->list)
		c->list = json_object_new_array();
	json_object_array_add(c->list, cause_new(reason, path, message));
	c->n++;
}

/* The value as the real server shows it: JSON, cut when long. */
static void put_value(struct sw_buf *b, json_t *value)
{
	const char *text =
		value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
		      : "null";
	size_t n = strlen(text);

	sw_buf_put(b, text, n > VALUE_SHOWN_MAX ? VALUE_SHOWN_MAX : n);
	if (n > VALUE_SHOWN_MAX)
		sw_buf_puts(b, "...");
}

__attribute__((format(printf, 6, 0))) static void causes_printf(struct sw_causes *c, const char *reason,
								const char *path, const char *lead, json_t *value,
								const char *fmt, va_list ap)
{
	struct sw_buf b;

	sw_buf_init(&b, MESSAGE_MAX);
	sw_buf_puts(&b, lead);
	if (value) {
		sw_buf_puts(&b, ": ");
		put_value(&b, value);
	}
	if (fmt) {
		sw_buf_puts(&b, ": ");
		sw_buf_vprintf(&b, fmt, ap);
	}
	causes_add(c, reason, path, b.at ? b.at : lead);
	sw_buf_fini(&b);
}

void sw_cause_required(struct sw_causes *c, const char *path, const char *detail)
{
	struct sw_buf b;

	sw_buf_init(&b, MESSAGE_MAX);
	sw_buf_printf(&b, "Required value%s%s", detail && *detail ? ": " : "", detail ? detail : "");
	causes_add(c, "FieldValueRequired", path, b.at ? b.at : "Required value");
	sw_buf_fini(&b);
}

void sw_cause_invalid(struct sw_causes *c, const char *path, json_t *value, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	causes_printf(c, "FieldValueInvalid", path, "Invalid value", value, fmt, ap);
	va_end(ap);
}

void sw_cause_too_long(struct sw_causes *c, const char *path, json_t *value, const char *fmt, ...)
{
	va_list ap;

	(void)value; /* too long to show */
	va_start(ap, fmt);
	causes_printf(c, "FieldValueTooLong", path, "Too long", NULL, fmt, ap);
	va_end(ap);
}

void sw_cause_forbidden(struct sw_causes *c, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	causes_printf(c, "FieldValueForbidden", path, "Forbidden", NULL, fmt, ap);
	va_end(ap);
}

static void causes_value(struct sw_causes *c, const char *reason, const char *path, const char *lead, json_t *value)
{
	struct sw_buf b;

	sw_buf_init(&b, MESSAGE_MAX);
	sw_buf_puts(&b, lead);
	put_value(&b, value);
	causes_add(c, reason, path, b.at ? b.at : lead);
	sw_buf_fini(&b);
}

void sw_cause_duplicate(struct sw_causes *c, const char *path, json_t *value)
{
	causes_value(c, "FieldValueDuplicate", path, "Duplicate value: ", value);
}

void sw_cause_not_found(struct sw_causes *c, const char *path, json_t *value)
{
	causes_value(c, "FieldValueNotFound", path, "Not found: ", value);
}

void sw_cause_not_supported(struct sw_causes *c, const char *path, json_t *value, const char *const *supported,
			    size_t n)
{
	struct sw_buf b;

	sw_buf_init(&b, MESSAGE_MAX);
	sw_buf_puts(&b, "Unsupported value: ");
	put_value(&b, value);
	sw_buf_puts(&b, ": supported values: ");
	for (size_t i = 0; i < n; i++)
		sw_buf_printf(&b, "%s\"%s\"", i ? ", " : "", supported[i]);
	causes_add(c, "FieldValueNotSupported", path, b.at ? b.at : "Unsupported value");
	sw_buf_fini(&b);
}

static void put_cause(struct sw_buf *b, json_t *cause)
{
	const char *field = sw_json_str(cause, "field");

	sw_buf_printf(b, "%s%s%s", field ? field : "", field ? ": " : "", sw_json_str(cause, "message"));
}

static void invalid_message(struct sw_buf *b, const struct sw_resource *r, const char *name, const struct sw_causes *c)
{
	sw_buf_printf(b, "%s%s%s \"%s\" is invalid: ", r->kind, *r->group ? "." : "", r->group, name ? name : "");
	if (c->n > 1)
		sw_buf_putc(b, '[');
	for (size_t i = 0; i < c->n; i++) {
		if (i)
			sw_buf_puts(b, ", ");
		put_cause(b, json_object_array_get_idx(c->list, i));
	}
	if (c->dropped)
		sw_buf_printf(b, ", and %zu more", c->dropped);
	if (c->n > 1)
		sw_buf_putc(b, ']');
}

json_t *sw_status_invalid(const struct sw_resource *r, const char *name, struct sw_causes *c)
{
	struct sw_buf b;
	json_t *o;

	if (c->n == 0)
		return NULL;
	sw_buf_init(&b, 4 * MESSAGE_MAX);
	invalid_message(&b, r, name, c);
	o = status_new(SW_REASON_INVALID, sw_buf_ok(&b) && b.at ? b.at : "the object is invalid");
	sw_buf_fini(&b);
	sw_status_details(o, name, r->group, r->kind);
	json_object_object_add(status_part(o, "details", false), "causes", c->list);
	c->list = NULL;
	sw_causes_fini(c);
	return o;
}
