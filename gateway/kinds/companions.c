/* SPDX-License-Identifier: Apache-2.0 */
/* companions.c - which objects a job's user wants sent along with it */
#include <stdio.h>
#include <string.h>

#include "spillway/companions.h"
#include "spillway/text.h"

const char *sw_companion_word(enum sw_need_kind kind)
{
	return kind == SW_NEED_SECRET ? "secret" : "configmap";
}

static struct sw_err one_read(const char *word, size_t len, struct sw_companion *out)
{
	static const enum sw_need_kind kinds[] = {SW_NEED_SECRET, SW_NEED_CONFIG_MAP};

	for (size_t i = 0; i < 2; i++) {
		const char *type = sw_companion_word(kinds[i]);
		size_t n = strlen(type);
		if (len <= n || strncmp(word, type, n) != 0 || word[n] != '/' || len - n - 1 >= sizeof out->name)
			continue;
		out->kind = kinds[i];
		snprintf(out->name, sizeof out->name, "%.*s", (int)(len - n - 1), word + n + 1);
		if (sw_is_subdomain(out->name))
			return SW_OK;
	}
	return sw_err(SW_E_INVALID, "found \"%.*s\", expected secret/NAME or configmap/NAME, separated by commas",
		      (int)(len < 80 ? len : 80), word);
}

struct sw_err sw_companions_parse(const char *text, struct sw_companions *out)
{
	out->n = 0;
	for (;;) {
		text += strspn(text, " ,");
		size_t len = strcspn(text, " ,");
		if (!len)
			return SW_OK;
		struct sw_err e = out->n < SW_COMPANIONS_MAX
					  ? one_read(text, len, &out->at[out->n])
					  : sw_err(SW_E_INVALID, "found more than %d objects", SW_COMPANIONS_MAX);
		if (sw_failed(e)) {
			out->n = 0;
			return e;
		}
		out->n++;
		text += len;
	}
}

struct sw_err sw_companions_read(json_t *job, struct sw_companions *out)
{
	const char *text = sw_json_annotation(job, SW_ANN_COMPANIONS);

	return sw_err_wrap(sw_companions_parse(text ? text : "", out), "metadata.annotations[" SW_ANN_COMPANIONS "]");
}
