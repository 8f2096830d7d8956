/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "spillway/blob.h"
#include "spillway/text.h"

Test(blob, every_carried_file_is_found_and_ends_in_nul)
{
	for (const struct sw_blob *b = sw_blob_table; b->name; b++) {
		cr_assert_eq(sw_blob_find(b->name), b, "%s is carried twice", b->name);
		cr_assert_eq(*b->end, 0);
		cr_assert(b->end >= b->start);
	}
}

Test(blob, an_unknown_name_finds_nothing)
{
	cr_assert_null(sw_blob_find("policies/none.lua"));
	cr_assert_null(sw_blob_find(""));
}
