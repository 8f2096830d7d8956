/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector.c - matching selectors, and field selectors
 *
 * Which fields each kind supports: k8s.io/kubernetes v1.36.1 pkg/apis/core/v1/conversion.go,
 * pkg/apis/batch/v1/conversion.go, pkg/apis/events/v1/conversion.go. Label selector text is parsed in
 * selector_label.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "selector_priv.h"
#include "spillway/text.h"

static char *copy_n(const char *s, size_t n)
{
	char *c = sw_calloc(n + 1, 1);

	memcpy(c, s, n);
	return c;
}

/* Selector text is at most SW_SELECTOR_BYTES, so what is allocated here is bounded by that. */
static void *grow(void *at, size_t n, size_t size)
{
	void *p = reallocarray(at, n, size);

	SW_REQUIRE(p);
	return p;
}

struct sw_selector *selector_new(bool is_field)
{
	struct sw_selector *s = sw_calloc(1, sizeof(*s));

	s->is_field = is_field;
	return s;
}

struct term *selector_add(struct sw_selector *s, const char *key, size_t n, enum term_op op)
{
	if ((s->n & (s->n - 1)) == 0)
		s->terms = grow(s->terms, s->n ? 2 * s->n : 1, sizeof(*s->terms));
	s->terms[s->n] = (struct term){.key = copy_n(key, n), .op = op};
	return &s->terms[s->n++];
}

void term_value(struct term *t, const char *value, size_t n)
{
	if ((t->n & (t->n - 1)) == 0)
		t->values = grow(t->values, t->n ? 2 * t->n : 1, sizeof(*t->values));
	t->values[t->n++] = copy_n(value, n);
}

void sw_selector_free(struct sw_selector *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		for (size_t j = 0; j < s->terms[i].n; j++)
			free(s->terms[i].values[j]);
		free(s->terms[i].values);
		free(s->terms[i].key);
	}
	free(s->terms);
	free(s);
}

/* ---- matching ---------------------------------------------------------------------------------- */

static bool is_among(const struct term *t, const char *v)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->values[i], v) == 0)
			return true;
	return false;
}

static bool compare(const struct term *t, const char *v)
{
	char *end_a, *end_b;
	long long a = strtoll(v, &end_a, 10), b = strtoll(t->values[0], &end_b, 10);

	if (end_a == v || *end_a || end_b == t->values[0] || *end_b)
		return false;
	return t->op == TERM_GREATER ? a > b : a < b;
}

/* v: the value, or NULL if absent */
static bool term_holds(const struct term *t, const char *v)
{
	switch (t->op) {
	case TERM_IN:
		return v && is_among(t, v);
	case TERM_NOT_IN:
		return !v || !is_among(t, v);
	case TERM_EXISTS:
		return v != NULL;
	case TERM_ABSENT:
		return v == NULL;
	default:
		return v && compare(t, v);
	}
}

/* An absent field is the empty string, as in the real server's field sets. */
static const char *field_value(json_t *o, const char *path)
{
	json_t *v = sw_json_at(o, path);

	if (!v)
		return strcmp(path, "status.succeeded") == 0     ? "0"
		       : strcmp(path, "spec.unschedulable") == 0 ? "false"
								 : "";
	return json_object_get_string(v);
}

/* fields whose name is not their path */
static const char *field_path(const char *field, json_t *o)
{
	if (strcmp(field, "status.successful") == 0)
		return "status.succeeded";
	if (strcmp(field, "source") == 0)
		return sw_json_at(o, "source.component") ? "source.component" : "reportingComponent";
	return field;
}

bool sw_selector_match(const struct sw_selector *s, json_t *o)
{
	for (size_t i = 0; s && i < s->n; i++) {
		const struct term *t = &s->terms[i];
		const char *v;

		if (s->is_field)
			v = field_value(o, field_path(t->key, o));
		else
			v = sw_json_label(o, t->key);
		if (!term_holds(t, v))
			return false;
	}
	return true;
}

const char *sw_selector_exact(const struct sw_selector *s, const char *field)
{
	for (size_t i = 0; s && s->is_field && i < s->n; i++)
		if (s->terms[i].op == TERM_IN && strcmp(s->terms[i].key, field) == 0)
			return s->terms[i].values[0];
	return NULL;
}

bool sw_selector_only(const struct sw_selector *s, const char *field)
{
	return s && s->n == 1 && sw_selector_exact(s, field);
}

/* ---- field selectors --------------------------------------------------------------------------- */

static const char *const pod_fields[] = {"spec.nodeName",
					 "spec.restartPolicy",
					 "spec.schedulerName",
					 "spec.serviceAccountName",
					 "spec.hostNetwork",
					 "status.phase",
					 "status.podIP",
					 "status.nominatedNodeName",
					 NULL};
static const char *const event_fields[] = {"involvedObject.kind",
					   "involvedObject.namespace",
					   "involvedObject.name",
					   "involvedObject.uid",
					   "involvedObject.apiVersion",
					   "involvedObject.resourceVersion",
					   "involvedObject.fieldPath",
					   "reason",
					   "reportingComponent",
					   "source",
					   "type",
					   NULL};
static const char *const namespace_fields[] = {"status.phase", NULL};
static const char *const secret_fields[] = {"type", NULL};
static const char *const node_fields[] = {"spec.unschedulable", NULL};
static const char *const job_fields[] = {"status.successful", NULL};
static const struct {
	const char *id;
	const char *const *fields;
} more_fields[] = {
	{"pods", pod_fields},       {"events", event_fields}, {"namespaces", namespace_fields},
	{"secrets", secret_fields}, {"nodes", node_fields},   {"jobs.batch", job_fields},
};

static bool is_supported(const struct sw_resource *r, const char *field)
{
	const char *id = sw_resource_storage(r)->id;

	if (strcmp(field, "metadata.name") == 0)
		return true;
	if (strcmp(field, "metadata.namespace") == 0)
		return r->namespaced || !(r->flags & SW_RES_BUILTIN);
	for (size_t i = 0; i < sizeof(more_fields) / sizeof(more_fields[0]); i++)
		for (size_t j = 0; strcmp(more_fields[i].id, id) == 0 && more_fields[i].fields[j]; j++)
			if (strcmp(more_fields[i].fields[j], field) == 0)
				return true;
	return false;
}

/* events.k8s.io/v1 says regarding.name, the stored event says involvedObject.name */
static const char *stored_field(const struct sw_resource *r, const char *field, char buf[128])
{
	static const char from[] = "regarding.";

	if (!r->stored_as)
		return field;
	if (strcmp(field, "reportingController") == 0)
		return "reportingComponent";
	if (strncmp(field, from, sizeof(from) - 1) != 0)
		return field;
	snprintf(buf, 128, "involvedObject.%s", field + sizeof(from) - 1);
	return buf;
}

/* Finds the end of a term and its operator, minding escapes. */
struct field_term {
	const char *start, *op, *value, *end;
	bool negated;
};

static struct field_term field_term_scan(const char *s)
{
	struct field_term t = {.start = s};

	for (; *s && *s != ','; s++) {
		if (*s == '\\' && s[1]) {
			s++;
		} else if (!t.op && (*s == '=' || (*s == '!' && s[1] == '='))) {
			t.op = s;
			t.negated = *s == '!';
			s += s[1] == '=';
			t.value = s + 1;
		}
	}
	t.end = s;
	return t;
}

/* "\," "\=" "\\" are the only escapes. */
static bool unescape(const char *from, const char *end, struct sw_buf *b)
{
	sw_buf_reset(b);
	for (; from < end; from++) {
		if (*from == '\\') {
			from++;
			if (from == end || !strchr(",=\\", *from))
				return false;
		} else if (*from == '=') {
			return false;
		}
		sw_buf_putc(b, *from);
	}
	return sw_buf_ok(b);
}

static json_t *field_term_add(struct sw_selector *s, const struct sw_resource *r, const char *text, struct field_term t,
			      struct sw_buf *b)
{
	char name[128];
	const char *field;
	struct term *term;

	if (!t.op || !unescape(t.start, t.op, b))
		return sw_status(SW_REASON_BAD_REQUEST,
				 "unable to parse field selector: invalid selector: '%s'; can't understand '%.*s'",
				 text, (int)(t.end - t.start), t.start);
	field = stored_field(r, b->at ? b->at : "", name);
	if (!is_supported(r, field))
		return sw_status(SW_REASON_BAD_REQUEST, "field label not supported: %s", b->at ? b->at : "");
	term = selector_add(s, field, strlen(field), t.negated ? TERM_NOT_IN : TERM_IN);
	if (!unescape(t.value, t.end, b))
		return sw_status(SW_REASON_BAD_REQUEST,
				 "unable to parse field selector: invalid field selector value in '%.*s'",
				 (int)(t.end - t.start), t.start);
	term_value(term, b->at ? b->at : "", b->len);
	return NULL;
}

json_t *sw_field_selector_parse(const struct sw_resource *r, const char *text, struct sw_selector **out)
{
	struct sw_selector *s;
	struct sw_buf b;
	json_t *no = NULL;
	const char *at = text;

	*out = NULL;
	if (!text || !*text)
		return NULL;
	if (strlen(text) > SW_SELECTOR_BYTES)
		return sw_status(SW_REASON_BAD_REQUEST, "the field selector is longer than %d bytes",
				 SW_SELECTOR_BYTES);
	s = selector_new(true);
	sw_buf_init(&b, SW_SELECTOR_BYTES + 1);
	while (*at && !no) {
		struct field_term t = field_term_scan(at);

		if (t.end > t.start) /* the real server skips empty terms */
			no = s->n >= SW_SELECTOR_TERMS
				     ? sw_status(SW_REASON_BAD_REQUEST, "the field selector has more than %d terms",
						 SW_SELECTOR_TERMS)
				     : field_term_add(s, r, text, t, &b);
		at = *t.end ? t.end + 1 : t.end;
	}
	sw_buf_fini(&b);
	if (no)
		sw_selector_free(s);
	else
		*out = s;
	return no;
}
