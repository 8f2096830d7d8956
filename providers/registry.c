/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - the providers there are, by name */
#include <string.h>

#include "spillway/provider.h"

static const struct sw_provider_ops *const providers[] = {
#define X(id) &sw_provider_##id,
	SW_PROVIDER_MAP(X)
#undef X
};
static const char *const names[] = {
#define X(id) #id,
	SW_PROVIDER_MAP(X)
#undef X
};

const struct sw_provider_ops *sw_provider_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return providers[i];
	return NULL;
}

const char *const *sw_provider_names(int *n)
{
	*n = (int)(sizeof names / sizeof *names);
	return names;
}
