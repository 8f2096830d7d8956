/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uthash.h for clang-tidy alone: the analyzer does not follow the lists inside HASH_DEL, takes the table
 * for freed while rows remain, and then reports every loop that empties a table. Here removal is a function
 * that it cannot look into, so that the checks of allocations stay on for our own code.
 */
#include_next <uthash.h>

void *uthash_without(void *head, void *row);

#undef HASH_DEL
#define HASH_DEL(head, row) ((head) = (__typeof__(head))uthash_without(head, row))
#undef HASH_DELETE
#define HASH_DELETE(hh, head, row) HASH_DEL(head, row)
