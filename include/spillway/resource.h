/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource.h - everything spillway's own API servers serve, one row per resource
 *
 * Two servers share the table: the embedded manager and the simulated worker clusters. Each serves the
 * rows that have verbs for it. Discovery, OpenAPI, tables, schema and validation all start from a row, so
 * serving one more kind is one more row (and a schema message, if the kind is not free-form).
 *
 * Ownership  rows are const and live as long as the process; compare them by address.
 * Threads    any.
 */
#ifndef SPILLWAY_RESOURCE_H
#define SPILLWAY_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include "spillway/json.h"

enum sw_serve { SW_SERVE_MANAGER = 1, SW_SERVE_WORKER = 2, SW_SERVE_PAGES = 4 /* no resource at all */ };

/* word in discovery and in RBAC-like checks, in the order clients see them (alphabetical) */
#define SW_VERB_MAP(X)                                                                                                 \
	X(CREATE, 0, "create")                                                                                         \
	X(DELETE, 1, "delete")                                                                                         \
	X(DELCOLL, 2, "deletecollection")                                                                              \
	X(GET, 3, "get")                                                                                               \
	X(LIST, 4, "list")                                                                                             \
	X(PATCH, 5, "patch")                                                                                           \
	X(UPDATE, 6, "update")                                                                                         \
	X(WATCH, 7, "watch")
enum sw_verb {
#define X(id, bit, word) SW_VERB_##id = 1 << bit,
	SW_VERB_MAP(X)
#undef X
};
const char *sw_verb_word(enum sw_verb v);

enum sw_subresource { SW_SUB_STATUS = 1, SW_SUB_LOG = 2, SW_SUB_SCALE = 4 };

enum sw_resource_flag {
	SW_RES_BUILTIN = 1,           /* strategic merge allowed; CRD-like rows answer 415 to it */
	SW_RES_REVIEW = 2,            /* create only, nothing is stored: the server fills status and answers */
	SW_RES_READ_ONLY_MANAGER = 4, /* on the manager only spillway itself writes it (mirrored pods) */
	SW_RES_GENERATION = 8         /* metadata.generation counts changes outside metadata and status */
};

struct sw_columns; /* table.c */

struct sw_resource {
	const char *id; /* "jobs.batch", "pods": key in the store, and what errors call it */
	const char *group, *version, *kind, *plural, *singular;
	const char *short_names; /* comma separated, "" if none */
	const char *categories;  /* comma separated, "" if none */
	const char *message;     /* schema message, see schema.h */
	bool namespaced;
	unsigned flags;                       /* enum sw_resource_flag */
	unsigned verbs_manager, verbs_worker; /* enum sw_verb bits; 0: not served there */
	unsigned subs;                        /* enum sw_subresource bits */
	const struct sw_columns *columns;
	/* Two names for one store: events.k8s.io/v1 Event is kept as core/v1 Event. NULL: kept as itself. The store's
	 * key is then stored_as->id; convert with sw_resource_to_storage() and sw_resource_from_storage(). */
	const char *stored_as;
};

/* The table; n rows. */
const struct sw_resource *sw_resources(size_t *n);

/* group "" is core. NULL if unknown, or if not served there. */
const struct sw_resource *sw_resource_find(enum sw_serve serve, const char *group, const char *version,
					   const char *plural);
const struct sw_resource *sw_resource_by_kind(enum sw_serve serve, const char *group, const char *version,
					      const char *kind);
/* api_version as in an object: "v1", "batch/v1". Any server. */
const struct sw_resource *sw_resource_of(const char *api_version, const char *kind);
const struct sw_resource *sw_resource_by_id(const char *id); /* "jobs.batch"; any server */

unsigned sw_resource_verbs(const struct sw_resource *r, enum sw_serve serve);
/* "status", "log", "scale" -> bit, or 0 if r has no such subresource */
unsigned sw_resource_sub(const struct sw_resource *r, const char *name);
/* "batch/v1" or "v1"; buf at least 96 bytes; returns buf */
const char *sw_resource_api_version(const struct sw_resource *r, char buf[96]);
/* Is this group served at all (any version)? For 404s. */
bool sw_resource_has_group(enum sw_serve serve, const char *group, const char *version /* NULL: any */);

/* The row under whose id the objects are kept: r itself unless stored_as is set. */
const struct sw_resource *sw_resource_storage(const struct sw_resource *r);
/* Rewrites o in place between r's form and the stored form (regarding <-> involvedObject ...). No-op for most rows. */
void sw_resource_to_storage(const struct sw_resource *r, json_t *o);
void sw_resource_from_storage(const struct sw_resource *r, json_t *o);

#endif
