/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery.h - /api, /apis, /apis/G/V and /openapi/v3, written from the resource table
 *
 * Two forms of discovery, both needed: aggregated (kubectl 1.27 on, by Accept header) and plain. The texts depend on
 * the server's role alone: build once and keep.
 */
#ifndef SPILLWAY_DISCOVERY_H
#define SPILLWAY_DISCOVERY_H

#include "spillway/buf.h"
#include "spillway/resource.h"
#include "spillway/schema.h"

enum sw_discovery_form { SW_DISCOVERY_PLAIN, SW_DISCOVERY_V2, SW_DISCOVERY_V2BETA1 };
/* By Accept: the first form it names that we have. */
enum sw_discovery_form sw_discovery_form(const char *accept);
/* The Content-Type to answer with. */
const char *sw_discovery_content_type(enum sw_discovery_form form);

void sw_discovery_api(struct sw_buf *b, enum sw_serve serve, enum sw_discovery_form form);  /* GET /api */
void sw_discovery_apis(struct sw_buf *b, enum sw_serve serve, enum sw_discovery_form form); /* GET /apis */
/* GET /apis/GROUP: APIGroup. false (nothing written) if unknown. */
bool sw_discovery_group(struct sw_buf *b, enum sw_serve serve, const char *group);
/* GET /api/v1 (group ""), GET /apis/GROUP/VERSION: APIResourceList. false if unknown. */
bool sw_discovery_resources(struct sw_buf *b, enum sw_serve serve, const char *group, const char *version);

/* GET /openapi/v3: {"paths":{"apis/batch/v1":{"serverRelativeURL":"/openapi/v3/apis/batch/v1?hash=..."}}} */
void sw_openapi_index(struct sw_buf *b, const struct sw_schema *s, enum sw_serve serve);
/* GET /openapi/v3/api/v1 (group ""), /openapi/v3/apis/GROUP/VERSION. With PATCH paths that carry fieldValidation, and
 * components.schemas as deep as the schema goes, for kubectl explain. false if unknown. About 100-500 KB: keep it. */
bool sw_openapi_document(struct sw_buf *b, const struct sw_schema *s, enum sw_serve serve, const char *group,
			 const char *version);

#endif
