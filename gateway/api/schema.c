/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c - compiles the carried schema files (their format: schema/README.md)
 *
 * The files are ours and were checked when they were written, yet a broken one is reported with its line, not
 * trusted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "schema_priv.h"
#include "spillway/blob.h"
#include "spillway/text.h"

static const char *const files[] = {
	"gateway/api/schema/builtin.schema",  "gateway/api/schema/crd.schema",      "gateway/api/schema/sim.schema",
	"gateway/api/schema/defaults.schema", "gateway/api/schema/describe.schema",
};
enum { N_FILES = sizeof(files) / sizeof(files[0]) };

struct reader {
	struct sw_schema *s;
	const char *file;
	int line;
	bool builtin;
	struct message *message; /* being filled */
	size_t cap_fields, cap_messages;
};

static struct sw_err bad(const struct reader *r, const char *what, const char *found)
{
	return sw_err(SW_E_INVALID, "%s:%d: %s, found \"%.60s\"", r->file, r->line, what, found ? found : "nothing");
}

static void *grow(void *at, size_t n, size_t size)
{
	void *p = reallocarray(at, n, size);

	SW_REQUIRE(p);
	return p;
}

static uint32_t name_hash(const char *s, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

/* ---- finding ----------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct message *)a)->name, ((const struct message *)b)->name);
}

const struct message *schema_message(const struct sw_schema *s, const char *name)
{
	struct message key = {.name = name};

	return s->n ? bsearch(&key, s->messages, s->n, sizeof(key), by_name) : NULL;
}

const struct field *message_field_n(const struct message *m, const char *name, size_t n)
{
	uint32_t h = name_hash(name, n);

	for (uint32_t i = h & m->mask; m->slots[i]; i = (i + 1) & m->mask) {
		const struct field *f = &m->fields[m->slots[i] - 1];

		if (f->hash == h && strncmp(f->name, name, n) == 0 && f->name[n] == '\0')
			return f;
	}
	return NULL;
}

const struct field *message_field(const struct message *m, const char *name)
{
	return message_field_n(m, name, strlen(name));
}

const struct field *message_number(const struct message *m, unsigned embedded, unsigned number)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->fields[i].number == number && m->fields[i].outer == embedded)
			return &m->fields[i];
	return NULL;
}

bool message_embeds(const struct message *m, unsigned number)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->fields[i].outer == number)
			return true;
	return false;
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* Cuts the next word off *rest, in place. NULL at the end of the line. */
static char *next_word(char **rest)
{
	char *word = *rest;

	while (*word == ' ')
		word++;
	if (!*word)
		return NULL;
	*rest = word + strcspn(word, " ");
	if (**rest)
		*(*rest)++ = '\0';
	return word;
}

/* Splits text at `sep` in place. */
static struct words split(struct sw_schema *s, char *text, char sep)
{
	struct words w = {.n = 1};
	size_t i = 0;

	for (char *p = text; *p; p++)
		w.n += *p == sep;
	w.at = sw_calloc(w.n, sizeof(*w.at));
	for (char *p = text; p; i++) {
		char *end = strchr(p, sep);

		w.at[i] = p;
		if (end)
			*end++ = '\0';
		p = end;
	}
	s->word_lists = grow(s->word_lists, s->n_word_lists + 1, sizeof(*s->word_lists));
	s->word_lists[s->n_word_lists++] = w.at;
	return w;
}

static struct sw_err read_type(struct reader *r, struct field *f, char *type)
{
	static const char letters[] = {
		[B_STRING] = 's',        [B_BOOL] = 'b',     [B_INT32] = 'i', [B_INT64] = 'l',     [B_DOUBLE] = 'f',
		[B_BYTES] = 'y',         [B_QUANTITY] = 'q', [B_TIME] = 't',  [B_MICROTIME] = 'u', [B_DURATION] = 'd',
		[B_INT_OR_STRING] = 'o', [B_OBJECT] = 'x',   [B_ANY] = 'j'};
	size_t depth = 0;

	while (depth < SHAPES && (strncmp(type, "[]", 2) == 0 || strncmp(type, "{}", 2) == 0)) {
		f->shape[depth++] = *type == '[' ? SHAPE_LIST : SHAPE_MAP;
		type += 2;
	}
	if (*type == '@') {
		f->base = B_MESSAGE;
		f->message_name = type + 1;
		return SW_OK;
	}
	for (size_t i = 0; i < sizeof(letters); i++)
		if (type[0] == letters[i] && type[1] == '\0') {
			f->base = (enum base)i;
			return SW_OK;
		}
	return bad(r, "expected a type", type);
}

/* key=NUMBER flags */
static bool read_number_flag(struct field *f, const char *word)
{
	const struct {
		const char *key;
		int64_t *to;
	} numbers[] = {
		{"min=", &f->min},        {"max=", &f->max},    {"minlen=", &f->min_len},
		{"maxlen=", &f->max_len}, {"minn=", &f->min_n}, {"maxn=", &f->max_n},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		size_t n = strlen(numbers[i].key);

		if (strncmp(word, numbers[i].key, n) != 0)
			continue;
		*numbers[i].to = strtoll(word + n, NULL, 10);
		f->has_min |= i == 0;
		f->has_max |= i == 1;
		return true;
	}
	return false;
}

static bool read_pattern(struct field *f, const char *name)
{
	static const char *const names[] = {
		[P_SUBDOMAIN] = "subdomain", [P_LABEL] = "label", [P_KEY] = "key", [P_REASON] = "reason"};

	for (size_t i = P_SUBDOMAIN; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			f->pattern = (enum pattern)i;
	return f->pattern != P_NONE;
}

static bool read_one_letter_flag(struct field *f, const char *word)
{
	if (word[1])
		return false;
	switch (*word) {
	case '!':
		f->required = true;
		return true;
	case '*':
		f->pointer = true;
		return true;
	case 'r':
		f->retain_keys = true;
		return true;
	case 'S':
		f->is_set = true;
		return true;
	case 'A':
		f->atomic = true;
		return true;
	default:
		return false;
	}
}

static struct sw_err read_default(struct reader *r, struct field *f, const char *text)
{
	struct sw_err e;

	json_object_put(f->fallback);
	e = sw_json_parse(text, strlen(text), &f->fallback);
	return sw_failed(e) ? bad(r, e.text, text) : SW_OK;
}

static struct sw_err read_flag(struct reader *r, struct field *f, char *word)
{
	if (strncmp(word, "m=", 2) == 0)
		f->merge_key = word + 2;
	else if (strncmp(word, "L=", 2) == 0)
		f->list_keys = split(r->s, word + 2, ',');
	else if (strncmp(word, "E=", 2) == 0)
		f->enums = split(r->s, word + 2, '|');
	else if (strncmp(word, "p=", 2) == 0 && read_pattern(f, word + 2))
		return SW_OK;
	else if (!read_one_letter_flag(f, word) && !read_number_flag(f, word))
		return bad(r, "expected a flag", word);
	return SW_OK;
}

static struct field *field_new(struct reader *r)
{
	struct message *m = r->message;

	if (m->n == r->cap_fields) {
		r->cap_fields = r->cap_fields ? 2 * r->cap_fields : 8;
		m->fields = grow(m->fields, r->cap_fields, sizeof(*m->fields));
	}
	m->fields[m->n] = (struct field){.min_len = -1, .max_len = -1, .min_n = -1, .max_n = -1, .description = ""};
	return &m->fields[m->n++];
}

static struct sw_err read_field(struct reader *r, char *line)
{
	char *number = next_word(&line), *name = next_word(&line), *type = next_word(&line), *dot;
	struct field *f;
	struct sw_err e;

	if (!r->message || !type)
		return bad(r, "expected NUMBER NAME TYPE inside a message", number);
	f = field_new(r);
	dot = strchr(number, '.');
	f->outer = dot ? (uint16_t)strtoul(number, NULL, 10) : 0;
	f->number = (uint16_t)strtoul(dot ? dot + 1 : number, NULL, 10);
	f->name = name;
	f->hash = name_hash(name, strlen(name));
	e = read_type(r, f, type);
	while (!sw_failed(e) && *line) {
		char *word;

		if (*line == '=')
			return read_default(r, f, line + 1);
		word = next_word(&line);
		if (word)
			e = read_flag(r, f, word);
	}
	return e;
}

static struct sw_err read_message(struct reader *r, char *line)
{
	struct sw_schema *s = r->s;
	char *name = next_word(&line), *flag = next_word(&line);

	if (!name)
		return bad(r, "expected the name of a message", NULL);
	if (s->n == r->cap_messages) {
		r->cap_messages = r->cap_messages ? 2 * r->cap_messages : 256;
		s->messages = grow(s->messages, r->cap_messages, sizeof(*s->messages));
	}
	r->message = &s->messages[s->n++];
	*r->message = (struct message){.name = name, .builtin = r->builtin, .description = ""};
	r->message->atomic = flag && *flag == 'A';
	r->cap_fields = 0;
	return SW_OK;
}

static struct sw_err read_line(struct reader *r, char *line)
{
	if (*line == '\0' || *line == '#' || *line == 'D' || *line == '=')
		return SW_OK; /* D and = wait until every message is known */
	if (strncmp(line, "M ", 2) == 0)
		return read_message(r, line + 2);
	return read_field(r, line);
}

/* ---- after everything was read: tables, references, defaults, descriptions --------------------- */

static void message_index(struct message *m)
{
	uint32_t size = 4;

	while (size < 2 * m->n)
		size *= 2;
	m->mask = size - 1;
	m->slots = sw_calloc(size, sizeof(*m->slots));
	for (size_t i = 0; i < m->n; i++) {
		uint32_t at = m->fields[i].hash & m->mask;

		while (m->slots[at])
			at = (at + 1) & m->mask;
		m->slots[at] = (uint16_t)(i + 1);
	}
}

static struct sw_err resolve(struct sw_schema *s)
{
	qsort(s->messages, s->n, sizeof(*s->messages), by_name);
	for (size_t i = 0; i < s->n; i++)
		message_index(&s->messages[i]);
	for (size_t i = 0; i < s->n; i++)
		for (size_t j = 0; j < s->messages[i].n; j++) {
			struct field *f = &s->messages[i].fields[j];

			if (f->base == B_MESSAGE)
				f->message = schema_message(s, f->message_name);
			if (f->base == B_MESSAGE && !f->message)
				return sw_err(SW_E_INVALID, "schema: %s.%s: there is no message \"%s\"",
					      s->messages[i].name, f->name, f->message_name);
		}
	return SW_OK;
}

static struct field *own_field(struct sw_schema *s, const char *message, const char *name)
{
	const struct message *m = schema_message(s, message);
	const struct field *f = m ? message_field(m, name) : NULL;

	return f ? &s->messages[m - s->messages].fields[f - m->fields] : NULL;
}

/* "= MESSAGE FIELD JSON" */
static struct sw_err late_default(struct reader *r, char *line)
{
	char *message = next_word(&line), *name = next_word(&line);
	struct field *f = name ? own_field(r->s, message, name) : NULL;

	if (!f)
		return bad(r, "expected = MESSAGE FIELD JSON of a known field", message);
	return read_default(r, f, line);
}

/* "D MESSAGE[.FIELD] text". Names of messages have dots as well: a path may be both, and is described as both. */
static struct sw_err late_description(struct reader *r, char *line)
{
	char *path = next_word(&line), *dot = path ? strrchr(path, '.') : NULL;
	const struct message *m = path ? schema_message(r->s, path) : NULL;
	struct field *f;

	if (!dot)
		return bad(r, "expected D MESSAGE.FIELD text", path);
	if (m)
		r->s->messages[m - r->s->messages].description = line;
	*dot = '\0';
	f = own_field(r->s, path, dot + 1);
	if (f)
		f->description = line;
	return m || f ? SW_OK : bad(r, "expected a known message or field", path);
}

static struct sw_err late_line(struct reader *r, char *line)
{
	if (strncmp(line, "= ", 2) == 0)
		return late_default(r, line + 2);
	if (strncmp(line, "D ", 2) == 0)
		return late_description(r, line + 2);
	return SW_OK;
}

static bool has_rule(const struct field *f)
{
	return f->required || f->enums.n || f->has_min || f->has_max || f->min_len >= 0 || f->max_len >= 0 ||
	       f->min_n >= 0 || f->max_n >= 0 || f->pattern;
}

/* Marks the messages below which there is anything to default or to check, so that walks can stop early. */
static void mark_deep(struct sw_schema *s)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = 0; i < s->n; i++) {
			struct message *m = &s->messages[i];
			bool defaults = m->deep_defaults, required = m->deep_required;

			for (size_t j = 0; j < m->n; j++) {
				const struct field *f = &m->fields[j];

				defaults |= f->fallback || (f->message && f->message->deep_defaults);
				required |= has_rule(f) || (f->message && f->message->deep_required);
			}
			changed |= defaults != m->deep_defaults || required != m->deep_required;
			m->deep_defaults = defaults;
			m->deep_required = required;
		}
	}
}

/* ---- files ------------------------------------------------------------------------------------- */

typedef struct sw_err line_fn(struct reader *r, char *line);

/* `text` is cut into lines only by the last reader of it: the first pass leaves the lines of the second whole. */
static struct sw_err each_line(struct reader *r, char *text, size_t len, line_fn *fn)
{
	struct sw_err e = SW_OK;
	char *end = text + len;

	r->line = 0;
	while (text < end && !sw_failed(e)) {
		char *stop = memchr(text, '\n', (size_t)(end - text));

		if (!stop)
			stop = end;
		*stop = '\0';
		r->line++;
		e = fn(r, text);
		text = stop + 1;
	}
	return e;
}

/* The second pass sees lines that the first has cut: those that begin with D or = were left whole, NUL-terminated. */
static struct sw_err each_late_line(struct reader *r, char *text, size_t len)
{
	struct sw_err e = SW_OK;
	char *end = text + len;

	r->line = 0;
	while (text < end && !sw_failed(e)) {
		size_t n = strlen(text);

		r->line++;
		e = late_line(r, text);
		text += n + 1;
	}
	return e;
}

static struct sw_err read_file(struct reader *r, size_t i, bool late)
{
	const struct sw_blob *blob = sw_blob_find(files[i]);
	size_t len = blob ? sw_blob_len(blob) : 0;

	r->file = files[i];
	r->builtin = i == 0;
	r->message = NULL;
	if (!blob)
		return sw_err(SW_E_MISSING, "%s is not carried in this binary", files[i]);
	if (late)
		return i < 3 ? SW_OK : each_late_line(r, r->s->texts[i], len);
	r->s->texts[i] = sw_calloc(len + 1, 1);
	r->s->n_texts = i + 1;
	memcpy(r->s->texts[i], blob->start, len);
	return each_line(r, r->s->texts[i], len, read_line);
}

struct sw_err sw_schema_new(struct sw_schema **out)
{
	struct sw_schema *s = sw_calloc(1, sizeof(*s));
	struct reader r = {.s = s};
	struct sw_err e = SW_OK;

	*out = NULL;
	s->texts = sw_calloc(N_FILES, sizeof(*s->texts));
	for (size_t i = 0; i < N_FILES && !sw_failed(e); i++)
		e = read_file(&r, i, false);
	if (!sw_failed(e))
		e = resolve(s);
	for (size_t i = 0; i < N_FILES && !sw_failed(e); i++)
		e = read_file(&r, i, true);
	if (sw_failed(e)) {
		sw_schema_free(s);
		return e;
	}
	mark_deep(s);
	*out = s;
	return SW_OK;
}

void sw_schema_free(struct sw_schema *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		for (size_t j = 0; j < s->messages[i].n; j++)
			json_object_put(s->messages[i].fields[j].fallback);
		free(s->messages[i].fields);
		free(s->messages[i].slots);
	}
	for (size_t i = 0; i < s->n_word_lists; i++)
		free(s->word_lists[i]);
	for (size_t i = 0; i < s->n_texts; i++)
		free(s->texts[i]);
	free(s->word_lists);
	free(s->texts);
	free(s->messages);
	free(s);
}

/* ---- paths ------------------------------------------------------------------------------------- */

static size_t step_text(const struct step *at, enum path_style style, char *buf, size_t size)
{
	int n;

	if (at->kind == STEP_INDEX)
		n = snprintf(buf, size, "[%zu]", at->index);
	else if (at->kind == STEP_KEY && style == PATH_BRACKETS)
		n = snprintf(buf, size, "[%s]", at->name);
	else
		n = snprintf(buf, size, "%s%s", at->up ? "." : "", at->name);
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

const char *step_path(const struct step *at, enum path_style style, char *buf)
{
	char text[300];
	size_t start = PATH_MAX_BYTES - 1;

	buf[start] = '\0';
	for (; at; at = at->up) {
		size_t n = step_text(at, style, text, sizeof(text));

		if (n > start)
			break;
		start -= n;
		memcpy(buf + start, text, n);
	}
	return buf + start;
}
