/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_scan.h - walks a list reply item by item, without building the whole tree
 *
 * A page of 500 objects is megabytes of JSON: parsing it at once would hold up the loop. The scanner finds
 * where each item begins and ends; the item is parsed when it is delivered. Keys may come in any order:
 * what stands in metadata is known at the latest when next() has returned SCAN_END.
 *
 * It is lenient about what stands between values and exact about nesting and strings; items are judged by
 * sw_json_parse() afterwards.
 */
#ifndef SPILLWAY_KUBE_LIST_SCAN_H
#define SPILLWAY_KUBE_LIST_SCAN_H

#include <stddef.h>
#include "spillway/err.h"
#include "spillway/json.h"

enum scan_step { SCAN_ITEM, SCAN_END, SCAN_BAD };

struct list_scan {
	const char *start, *at, *end; /* lent */
	bool in_items;
	json_t *metadata;
	char *kind, *api_version; /* of the list; NULL if not met (yet) */
	struct sw_err err;        /* after SCAN_BAD */
};

void list_scan_init(struct list_scan *s, const char *bytes, size_t len);
void list_scan_fini(struct list_scan *s);
/* On SCAN_ITEM: the item's bytes, lent. */
enum scan_step list_scan_next(struct list_scan *s, const char **item, size_t *len);

#endif
