/* SPDX-License-Identifier: Apache-2.0 */
/* blob.c - finds a carried file by its path; the table comes from config/build/blobs.sh */
#include "spillway/blob.h"

#include <string.h>

const struct sw_blob *sw_blob_find(const char *name)
{
	for (const struct sw_blob *b = sw_blob_table; b->name; b++)
		if (!strcmp(b->name, name))
			return b;
	return NULL;
}
