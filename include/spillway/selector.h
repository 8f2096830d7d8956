/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector.h - labelSelector and fieldSelector of lists and watches
 *
 * Label selectors: a=b, a==b, a!=b, a in (b,c), a notin (b,c), a, !a; blanks anywhere between words.
 * Field selectors: path=value, ==, !=, joined by commas. metadata.name and metadata.namespace everywhere; more per
 * kind: events involvedObject.*, reason, type, reportingComponent, source; pods status.phase, spec.nodeName, ...; jobs
 * status.successful. Anything else is Status 400 with the real server's words.
 * Limits: SW_SELECTOR_BYTES of text, SW_SELECTOR_TERMS requirements.
 *
 * Ownership  a parsed selector is given; sw_selector_free() takes it. Matching lends.
 * Threads    a selector may be matched from any thread.
 */
#ifndef SPILLWAY_SELECTOR_H
#define SPILLWAY_SELECTOR_H

#include "spillway/json.h"
#include "spillway/resource.h"
#include "spillway/status.h"

enum { SW_SELECTOR_BYTES = 64 << 10, SW_SELECTOR_TERMS = 1000 };

struct sw_selector;

/* NULL or "" gives NULL in *out: matches everything (every function below takes NULL so). */
__attribute__((warn_unused_result)) json_t *sw_label_selector_parse(const char *text, struct sw_selector **out);
__attribute__((warn_unused_result)) json_t *sw_field_selector_parse(const struct sw_resource *r, const char *text,
								    struct sw_selector **out);
/* A metav1.LabelSelector object (matchLabels, matchExpressions). An empty object matches all, NULL object nothing. */
__attribute__((warn_unused_result)) json_t *sw_label_selector_object(json_t *o, struct sw_selector **out);
void sw_selector_free(struct sw_selector *s);

bool sw_selector_match(const struct sw_selector *s, json_t *o);
/* Field selectors: the value demanded of `field` by an equality ("metadata.name"), or NULL. For a get by key. */
const char *sw_selector_exact(const struct sw_selector *s, const char *field);
/* Is there nothing but that one equality? */
bool sw_selector_only(const struct sw_selector *s, const char *field);

#endif
