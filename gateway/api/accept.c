/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.c - reading Accept headers: tables, metadata alone, the forms of discovery
 *
 * The first choice that we speak wins; quality values are not read, as the real server does not read them either.
 */
#include <string.h>
#include "spillway/discovery.h"
#include "spillway/table.h"

struct media {
	const char *at;
	size_t n;
};

static struct media trim(const char *at, size_t n)
{
	while (n && (*at == ' ' || *at == '\t')) {
		at++;
		n--;
	}
	while (n && (at[n - 1] == ' ' || at[n - 1] == '\t'))
		n--;
	return (struct media){at, n};
}

static bool media_is(struct media m, const char *word)
{
	return m.n == strlen(word) && memcmp(m.at, word, m.n) == 0;
}

/* Takes the next part up to `stop` off *rest. */
static struct media next_part(struct media *rest, char stop)
{
	const char *end = memchr(rest->at, stop, rest->n);
	size_t n = end ? (size_t)(end - rest->at) : rest->n;
	struct media part = trim(rest->at, n);

	if (end)
		n++;
	rest->at += n;
	rest->n -= n;
	return part;
}

/* One choice: "application/json;as=Table;v=v1;g=meta.k8s.io". Returns NONE if we do not speak it. */
static enum sw_accept choice_parse(struct media choice, const char **version)
{
	struct media type = next_part(&choice, ';');
	enum sw_accept as = SW_ACCEPT_OBJECT;

	if (!media_is(type, "application/json") && !media_is(type, "*/*") && !media_is(type, "application/*"))
		return SW_ACCEPT_NONE;
	*version = "meta.k8s.io/v1";
	while (choice.n) {
		struct media p = next_part(&choice, ';');

		if (media_is(p, "as=Table"))
			as = SW_ACCEPT_TABLE;
		else if (media_is(p, "as=PartialObjectMetadata"))
			as = SW_ACCEPT_PARTIAL;
		else if (media_is(p, "as=PartialObjectMetadataList"))
			as = SW_ACCEPT_PARTIAL_LIST;
		else if (p.n > 3 && memcmp(p.at, "as=", 3) == 0)
			return SW_ACCEPT_NONE;
		else if (media_is(p, "v=v1beta1"))
			*version = "meta.k8s.io/v1beta1";
		else if (p.n > 2 && memcmp(p.at, "v=", 2) == 0 && !media_is(p, "v=v1"))
			return SW_ACCEPT_NONE;
	}
	return as;
}

enum sw_accept sw_accept_parse(const char *accept, const char **version)
{
	struct media rest;

	*version = "meta.k8s.io/v1";
	if (!accept || !*accept)
		return SW_ACCEPT_OBJECT;
	rest = (struct media){accept, strlen(accept)};
	while (rest.n) {
		enum sw_accept a = choice_parse(next_part(&rest, ','), version);

		if (a != SW_ACCEPT_NONE)
			return a;
	}
	return SW_ACCEPT_NONE;
}

/* ---- discovery --------------------------------------------------------------------------------- */

static bool discovery_choice(struct media choice, enum sw_discovery_form *form)
{
	struct media type = next_part(&choice, ';');
	bool is_group = false, is_list = false;
	enum sw_discovery_form found = SW_DISCOVERY_PLAIN;

	if (!media_is(type, "application/json") && !media_is(type, "*/*"))
		return false;
	*form = SW_DISCOVERY_PLAIN;
	if (!choice.n)
		return true;
	while (choice.n) {
		struct media p = next_part(&choice, ';');

		is_group |= media_is(p, "g=apidiscovery.k8s.io");
		is_list |= media_is(p, "as=APIGroupDiscoveryList");
		if (media_is(p, "v=v2"))
			found = SW_DISCOVERY_V2;
		else if (media_is(p, "v=v2beta1"))
			found = SW_DISCOVERY_V2BETA1;
	}
	if (is_group && is_list)
		*form = found;
	return !is_list || (is_group && found != SW_DISCOVERY_PLAIN);
}

enum sw_discovery_form sw_discovery_form(const char *accept)
{
	enum sw_discovery_form form = SW_DISCOVERY_PLAIN;
	struct media rest = {accept ? accept : "", accept ? strlen(accept) : 0};

	while (rest.n)
		if (discovery_choice(next_part(&rest, ','), &form))
			return form;
	return SW_DISCOVERY_PLAIN;
}
