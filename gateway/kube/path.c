/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - URL paths, small bodies and answers that every caller needs */
#include <string.h>
#include "spillway/kube.h"

static void part(struct sw_buf *b, const char *s)
{
	if (!s)
		return;
	sw_buf_putc(b, '/');
	sw_buf_url(b, s);
}

void sw_kube_path(struct sw_buf *b, const char *group, const char *version, const char *plural, const char *ns,
		  const char *name, const char *sub)
{
	if (group && *group) {
		sw_buf_puts(b, "/apis");
		part(b, group);
	} else {
		sw_buf_puts(b, "/api");
	}
	part(b, version);
	if (ns) {
		sw_buf_puts(b, "/namespaces");
		part(b, ns);
	}
	part(b, plural);
	part(b, name);
	part(b, sub);
}

void sw_kube_query(struct sw_buf *b, const char *key, const char *value)
{
	bool first = !b->at || !memchr(b->at, '?', b->len);

	sw_buf_putc(b, first ? '?' : '&');
	sw_buf_url(b, key);
	sw_buf_putc(b, '=');
	sw_buf_url(b, value);
}

void sw_kube_delete_options(struct sw_buf *b, const char *propagation, const char *uid)
{
	sw_buf_puts(b, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"");
	if (propagation) {
		sw_buf_puts(b, ",\"propagationPolicy\":");
		sw_buf_json_str(b, propagation);
	}
	if (uid) {
		sw_buf_puts(b, ",\"preconditions\":{\"uid\":");
		sw_buf_json_str(b, uid);
		sw_buf_putc(b, '}');
	}
	sw_buf_putc(b, '}');
}

bool sw_kube_lists(json_t *list, const char *plural)
{
	json_t *resources = sw_json_key(list, "resources");

	for (size_t i = 0; i < sw_json_len(resources); i++) {
		const char *name = sw_json_str(sw_json_idx(resources, i), "name");

		if (name && strcmp(name, plural) == 0)
			return true;
	}
	return false;
}
