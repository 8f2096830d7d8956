/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.c - where a policy's text comes from: a file, or one of those carried in the binary by its short name
 *
 * Its tests stand beside it: place.lua is tested by place.test.lua.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spillway/blob.h"
#include "spillway/buf.h"
#include "spillway/policy.h"
#include "spillway/text.h"

enum { SOURCE_MAX = 1 << 20, SHIPPED_MAX = 64 };
static const char folder[] = "policies/", ending[] = ".lua", tests_ending[] = ".test.lua";

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n > k && strcmp(s + n - k, end) == 0;
}

bool sw_policy_is_test_file(const char *path)
{
	return ends_with(path, tests_ending);
}

/* "policies/NAME.lua" -> NAME, in buf; NULL for every other file. */
static const char *shipped_name(const char *path, char buf[64])
{
	if (strncmp(path, folder, sizeof folder - 1) != 0 || !ends_with(path, ending) || ends_with(path, tests_ending))
		return NULL;
	path += sizeof folder - 1;
	if (strchr(path, '/'))
		return NULL;
	snprintf(buf, 64, "%.*s", (int)(strlen(path) - (sizeof ending - 1)), path);
	return buf;
}

const char *sw_policy_shipped(size_t i, char buf[64])
{
	for (const struct sw_blob *b = sw_blob_table; b->name; b++)
		if (shipped_name(b->name, buf) && i-- == 0)
			return buf;
	return NULL;
}

static struct sw_err no_such(const char *word)
{
	char text[SHIPPED_MAX][64];
	const char *names[SHIPPED_MAX];
	struct sw_buf list;
	int n = 0;
	sw_buf_init(&list, 8192);
	for (; n < SHIPPED_MAX && sw_policy_shipped((size_t)n, text[n]); n++) {
		names[n] = text[n];
		sw_buf_printf(&list, "%s%s", n ? ", " : "", text[n]);
	}
	const char *near = sw_nearest(word, names, n);
	struct sw_err e =
		sw_err(SW_E_MISSING, "no policy is called \"%.60s\"%s%s%s; expected a .lua file or one of %s", word,
		       near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "", list.at ? list.at : "");
	sw_buf_fini(&list);
	return e;
}

static char *copy(const char *bytes, size_t n)
{
	char *out = sw_calloc(n + 1, 1);
	memcpy(out, bytes, n);
	return out;
}

static struct sw_err read_shipped(const char *word, struct sw_policy_text *out)
{
	char *name = sw_asprintf("%s%s%s", folder, word, ending),
	     *test = sw_asprintf("%s%s%s", folder, word, tests_ending);
	const struct sw_blob *b = sw_blob_find(name), *t = sw_blob_find(test);
	if (!b || ends_with(name, tests_ending)) {
		free(name);
		free(test);
		return no_such(word);
	}
	*out = (struct sw_policy_text){
		.name = name, .src = copy(b->start, sw_blob_len(b)), .len = sw_blob_len(b), .test_name = test};
	if (t) {
		out->test_src = copy(t->start, sw_blob_len(t));
		out->test_len = sw_blob_len(t);
	}
	return SW_OK;
}

struct sw_err sw_policy_text_read(const char *word, struct sw_policy_text *out)
{
	*out = (struct sw_policy_text){0};
	if (!strchr(word, '/') && !ends_with(word, ending))
		return read_shipped(word, out);
	char *name = ends_with(word, tests_ending)
			     ? sw_asprintf("%.*s%s", (int)(strlen(word) - (sizeof tests_ending - 1)), word, ending)
			     : sw_strdup(word);
	struct sw_err e = sw_file_read(name, SOURCE_MAX, &out->src, &out->len);
	if (sw_failed(e)) {
		free(name);
		return e;
	}
	out->name = name;
	out->test_name = sw_asprintf("%.*s%s", (int)(strlen(name) - (ends_with(name, ending) ? sizeof ending - 1 : 0)),
				     name, tests_ending);
	e = sw_file_read(out->test_name, SOURCE_MAX, &out->test_src, &out->test_len);
	if (e.code == SW_E_MISSING) /* a policy without tests is a policy */
		e = SW_OK;
	if (sw_failed(e))
		sw_policy_text_free(out);
	return e;
}

void sw_policy_text_free(struct sw_policy_text *t)
{
	free(t->name);
	free(t->src);
	free(t->test_name);
	free(t->test_src);
	*t = (struct sw_policy_text){0};
}
