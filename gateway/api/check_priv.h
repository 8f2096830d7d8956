/* SPDX-License-Identifier: Apache-2.0 */
/* check_priv.h - validation: one struct is passed down, causes are collected in it, paths are made only for causes */
#ifndef SPILLWAY_API_CHECK_PRIV_H
#define SPILLWAY_API_CHECK_PRIV_H

#include "schema_priv.h"

struct check {
	const struct sw_resource *r;
	bool builtin;
	unsigned long compared; /* pairs compared so far in search of duplicates: bounded, see check_budget() */
	struct sw_causes causes;
};
enum { COMPARED_MAX = 200000 };
/* Before n comparisons: false when too many were made; then a cause at `at` says so once. */
bool check_budget(struct check *c, const struct step *at, size_t n);

/* Steps live in the caller's block. */
#define AT_FIELD(up_, name_) (&(struct step){.up = (up_), .kind = STEP_FIELD, .name = (name_)})
#define AT_KEY(up_, name_)   (&(struct step){.up = (up_), .kind = STEP_KEY, .name = (name_)})
#define AT_INDEX(up_, i_)    (&(struct step){.up = (up_), .kind = STEP_INDEX, .index = (i_)})

void check_required(struct check *c, const struct step *at, const char *detail);
__attribute__((format(printf, 4, 5))) void check_invalid(struct check *c, const struct step *at, json_t *v,
							 const char *fmt, ...);
__attribute__((format(printf, 3, 4))) void check_forbidden(struct check *c, const struct step *at, const char *fmt,
							   ...);
void check_not_supported(struct check *c, const struct step *at, json_t *v, const char *const *words, size_t n);
void check_duplicate(struct check *c, const struct step *at, json_t *v);
void check_not_found(struct check *c, const struct step *at, json_t *v);

/* Shared rules; v may be NULL (absent), then nothing is said. */
void check_not_negative(struct check *c, const struct step *up, json_t *o, const char *name);
void check_range(struct check *c, const struct step *at, json_t *v, int64_t least, int64_t most);
bool check_dns_label(struct check *c, const struct step *at, json_t *v);
void check_subdomain(struct check *c, const struct step *at, json_t *v);
void check_labels(struct check *c, const struct step *at, json_t *labels);
void check_annotations(struct check *c, const struct step *at, json_t *annotations);
void check_immutable(struct check *c, const struct step *up, json_t *o, json_t *old, const char *name);
bool text_is(json_t *v, const char *s);

/* validate_schema.c: what the schema knows: required, enums, bounds, patterns, list keys */
void check_schema(struct check *c, const struct message *m, json_t *o, bool with_status);
/* validate_meta.c */
void check_metadata(struct check *c, json_t *o, json_t *old);
/* validate_pod.c: template has metadata and spec; at leads to it */
void check_pod_template(struct check *c, const struct step *at, json_t *template);
void check_pod_spec(struct check *c, const struct step *at, json_t *spec);
void check_resource_list(struct check *c, const struct step *at, json_t *list);
/* validate_job.c */
void check_job(struct check *c, json_t *o, json_t *old);
void check_job_status(struct check *c, json_t *o, json_t *old);
/* validate_kinds.c */
void check_kind(struct check *c, const char *sub, json_t *o, json_t *old);
/* unhonoured.c: fields that nobody would act on are refused, never ignored */
void check_unhonoured(struct check *c, json_t *o);

#endif
