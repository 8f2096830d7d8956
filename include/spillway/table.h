/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - meta.k8s.io/v1 Table: what `kubectl get` prints, and PartialObjectMetadata
 *
 * Written straight to a buffer, row by row, so that a long list never exists as a tree:
 *
 *   sw_table_begin(&b, &t, list_rv, "");
 *   for each object: sw_table_row(&b, &t, object);
 *   sw_table_end(&b, &t);
 *
 * Columns and their rules are those of the real server's printers; kinds without columns of their own get Name and Age.
 * In a watch each event's object is a table of one row (sw_table_one).
 */
#ifndef SPILLWAY_TABLE_H
#define SPILLWAY_TABLE_H

#include "spillway/buf.h"
#include "spillway/resource.h"

enum sw_include { SW_INCLUDE_METADATA, SW_INCLUDE_OBJECT, SW_INCLUDE_NONE };

struct sw_table {
	const struct sw_resource *r;
	enum sw_include include;
	int64_t now_ms;          /* ages are text: as old as the answer */
	const char *api_version; /* "meta.k8s.io/v1" or v1beta1, as asked */
	size_t rows;             /* written so far */
};

/* What the Accept header's first choice asks for. */
enum sw_accept {
	SW_ACCEPT_OBJECT,
	SW_ACCEPT_TABLE,
	SW_ACCEPT_PARTIAL,
	SW_ACCEPT_PARTIAL_LIST,
	SW_ACCEPT_NONE /* 406 */
};
/* Accept NULL or "" is OBJECT. Protobuf with a JSON alternative is OBJECT. *version points to "meta.k8s.io/v1" or
 * "meta.k8s.io/v1beta1" for the table and partial forms. */
enum sw_accept sw_accept_parse(const char *accept, const char **version);
/* "Metadata", "Object", "None"; NULL or "" is Metadata; false for anything else */
bool sw_include_parse(const char *word, enum sw_include *out);

void sw_table_begin(struct sw_buf *b, struct sw_table *t, const char *rv, const char *cont /* continue token or "" */);
void sw_table_row(struct sw_buf *b, struct sw_table *t, json_t *o);
void sw_table_end(struct sw_buf *b, struct sw_table *t);
/* A whole table of one row, for single gets and watch events. with_columns: columnDefinitions, else null. */
void sw_table_one(struct sw_buf *b, struct sw_table *t, json_t *o, bool with_columns);
/* {"kind":"PartialObjectMetadata",...}; version as above */
void sw_partial_metadata(struct sw_buf *b, const char *version, json_t *o);

/* The rule behind the Status column of jobs, for others that show it too: "Complete", "Running", ... Lent. */
const char *sw_job_status_word(json_t *job);
/* As printed by kubectl for a pod: phase, or a container's reason ("CrashLoopBackOff", "Init:0/1"). buf at least 64
 * bytes. */
const char *sw_pod_status_word(json_t *pod, char buf[64]);

#endif
