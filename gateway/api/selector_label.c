/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector_label.c - label selectors, from text and from LabelSelector objects
 *
 * Grammar (k8s.io/apimachinery v0.36.1 pkg/labels/selector.go):
 *   selector    = requirement { "," requirement }
 *   requirement = [ "!" ] KEY | KEY ( "=" | "==" | "!=" | ">" | "<" ) [ VALUE ] | KEY ( "in" | "notin" ) "(" values ")"
 *   values      = [ VALUE ] { "," [ VALUE ] }
 * Blanks separate words. "in" and "notin" are words of the grammar only behind a key.
 */
#include <string.h>
#include "selector_priv.h"
#include "spillway/text.h"

enum token { T_END, T_WORD, T_COMMA, T_OPEN, T_CLOSE, T_NOT, T_EQ, T_NE, T_GT, T_LT, T_BAD };

struct lexer {
	const char *at;
	enum token token; /* the one looked at */
	const char *start;
	size_t n;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void take(struct lexer *l, enum token t, size_t n)
{
	l->token = t;
	l->start = l->at;
	l->n = n;
	l->at += n;
}

static void lex(struct lexer *l)
{
	while (is_blank(*l->at))
		l->at++;
	switch (*l->at) {
	case '\0':
		take(l, T_END, 0);
		return;
	case ',':
		take(l, T_COMMA, 1);
		return;
	case '(':
		take(l, T_OPEN, 1);
		return;
	case ')':
		take(l, T_CLOSE, 1);
		return;
	case '>':
		take(l, T_GT, 1);
		return;
	case '<':
		take(l, T_LT, 1);
		return;
	case '=':
		take(l, T_EQ, l->at[1] == '=' ? 2 : 1);
		return;
	case '!':
		take(l, l->at[1] == '=' ? T_NE : T_NOT, l->at[1] == '=' ? 2 : 1);
		return;
	default:
		take(l, T_WORD, strcspn(l->at, ",()=!<> \t\r\n"));
		return;
	}
}

static bool word_is(const struct lexer *l, const char *word)
{
	return l->token == T_WORD && l->n == strlen(word) && memcmp(l->start, word, l->n) == 0;
}

static json_t *unexpected(const struct lexer *l, const char *expected)
{
	return sw_status(SW_REASON_BAD_REQUEST, "unable to parse requirement: found '%.*s', expected: %s", (int)l->n,
			 l->start, expected);
}

static bool name_ok(const char *s, size_t n, bool (*is)(const char *))
{
	char text[320];

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	return is(text);
}

static json_t *value_add(struct term *t, const char *s, size_t n)
{
	if (n && !name_ok(s, n, sw_is_label_value))
		return sw_status(SW_REASON_BAD_REQUEST,
				 "unable to parse requirement: values[0][%s]: Invalid value: \"%.*s\": a valid label "
				 "must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
				 "must start and end "
				 "with an alphanumeric character",
				 t->key, (int)(n > 400 ? 400 : n), s);
	term_value(t, s, n);
	return NULL;
}

static json_t *parse_values(struct lexer *l, struct term *t)
{
	json_t *no = NULL;
	bool filled = false;

	if (l->token != T_OPEN)
		return unexpected(l, "'('");
	for (lex(l); !no; lex(l)) {
		if (l->token == T_WORD) {
			if (filled)
				return unexpected(l, "',' or ')'");
			no = value_add(t, l->start, l->n);
			filled = true;
		} else if (l->token == T_COMMA || l->token == T_CLOSE) {
			if (!filled)
				term_value(t, "", 0);
			filled = false;
			if (l->token == T_CLOSE)
				break;
		} else {
			return unexpected(l, "',', ')' or identifier");
		}
	}
	if (!no)
		lex(l);
	return no;
}

static json_t *parse_exact(struct lexer *l, struct term *t)
{
	json_t *no;

	if (l->token == T_END || l->token == T_COMMA) {
		term_value(t, "", 0);
		return NULL;
	}
	if (l->token != T_WORD)
		return unexpected(l, "identifier");
	no = value_add(t, l->start, l->n);
	lex(l);
	return no;
}

static json_t *parse_restriction(struct lexer *l, struct term *t)
{
	enum token op = l->token;
	json_t *no;

	if (word_is(l, "in") || word_is(l, "notin")) {
		t->op = l->n == 2 ? TERM_IN : TERM_NOT_IN;
		lex(l);
		return parse_values(l, t);
	}
	if (op != T_EQ && op != T_NE && op != T_GT && op != T_LT)
		return unexpected(l, "in, notin, =, ==, !=, gt, lt");
	t->op = op == T_EQ ? TERM_IN : op == T_NE ? TERM_NOT_IN : op == T_GT ? TERM_GREATER : TERM_LESS;
	lex(l);
	no = parse_exact(l, t);
	return no;
}

static json_t *parse_requirement(struct lexer *l, struct sw_selector *s)
{
	bool negated = l->token == T_NOT;
	struct term *t;

	if (negated)
		lex(l);
	if (l->token != T_WORD)
		return unexpected(l, negated ? "identifier" : "!, identifier, or 'end of string'");
	if (!name_ok(l->start, l->n, sw_is_label_key))
		return sw_status(
			SW_REASON_BAD_REQUEST,
			"unable to parse requirement: <nil>: Invalid value: \"%.*s\": name part must consist of "
			"alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
			"character",
			(int)(l->n > 400 ? 400 : l->n), l->start);
	t = selector_add(s, l->start, l->n, negated ? TERM_ABSENT : TERM_EXISTS);
	lex(l);
	if (l->token == T_END || l->token == T_COMMA)
		return NULL;
	if (negated)
		return unexpected(l, "',' or 'end of string'");
	return parse_restriction(l, t);
}

static json_t *parse_selector(struct lexer *l, struct sw_selector *s)
{
	json_t *no = NULL;

	for (lex(l); !no; lex(l)) {
		if (s->n >= SW_SELECTOR_TERMS)
			return sw_status(SW_REASON_BAD_REQUEST, "the label selector has more than %d terms",
					 SW_SELECTOR_TERMS);
		no = parse_requirement(l, s);
		if (no || l->token == T_END)
			break;
		if (l->token != T_COMMA)
			no = unexpected(l, "',' or 'end of string'");
	}
	return no;
}

json_t *sw_label_selector_parse(const char *text, struct sw_selector **out)
{
	struct lexer l = {.at = text};
	struct sw_selector *s;
	json_t *no;

	*out = NULL;
	if (!text || !text[strspn(text, " \t\r\n")])
		return NULL;
	if (strlen(text) > SW_SELECTOR_BYTES)
		return sw_status(SW_REASON_BAD_REQUEST, "the label selector is longer than %d bytes",
				 SW_SELECTOR_BYTES);
	s = selector_new(false);
	no = parse_selector(&l, s);
	if (no)
		sw_selector_free(s);
	else
		*out = s;
	return no;
}

/* ---- LabelSelector objects --------------------------------------------------------------------- */

static json_t *expression_add(struct sw_selector *s, json_t *e)
{
	static const struct {
		const char *word;
		enum term_op op;
	} ops[] = {
		{"In", TERM_IN},
		{"NotIn", TERM_NOT_IN},
		{"Exists", TERM_EXISTS},
		{"DoesNotExist", TERM_ABSENT},
	};
	const char *key = sw_json_str(e, "key"), *op = sw_json_str(e, "operator");
	json_t *values = sw_json_key(e, "values");
	struct term *t = NULL;

	for (size_t i = 0; key && op && i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(ops[i].word, op) == 0)
			t = selector_add(s, key, strlen(key), ops[i].op);
	if (!t)
		return sw_status(SW_REASON_BAD_REQUEST, "\"%s\" is not a valid label selector operator", op ? op : "");
	for (size_t i = 0; i < sw_json_len(values); i++) {
		const char *v = json_object_get_string(sw_json_idx(values, i));

		term_value(t, v ? v : "", v ? strlen(v) : 0);
	}
	return NULL;
}

json_t *sw_label_selector_object(json_t *o, struct sw_selector **out)
{
	json_t *labels = sw_json_key(o, "matchLabels"), *expressions = sw_json_key(o, "matchExpressions"), *no = NULL;
	struct sw_selector *s = selector_new(false);

	*out = s;
	if (!o) { /* nothing matches: a value set with nobody in it */
		selector_add(s, "", 0, TERM_IN);
		return NULL;
	}
	if (labels && json_object_is_type(labels, json_type_object)) {
		json_object_object_foreach(labels, key, value)
		{
			const char *v = json_object_get_string(value);

			term_value(selector_add(s, key, strlen(key), TERM_IN), v ? v : "", v ? strlen(v) : 0);
		}
	}
	for (size_t i = 0; !no && i < sw_json_len(expressions); i++)
		no = expression_add(s, sw_json_idx(expressions, i));
	if (!no)
		return NULL;
	sw_selector_free(s);
	*out = NULL;
	return no;
}
