/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf.h - request bodies in Kubernetes' protobuf, turned into JSON by the schema's field numbers
 *
 * kubectl create job (and namespace, secret, configmap, auth can-i, ...) from 1.32 on speaks nothing else. Frame:
 * "k8s\0", then runtime.Unknown {1 TypeMeta {1 apiVersion, 2 kind}, 2 raw, 3 contentEncoding, 4 contentType}. Answers
 * stay JSON. Unknown field numbers are skipped as protobuf demands; a wire type that contradicts the schema, a length
 * over the end, or depth over SW_JSON_DEPTH is Status 400.
 */
#ifndef SPILLWAY_PROTOBUF_H
#define SPILLWAY_PROTOBUF_H

#include "spillway/json.h"
#include "spillway/schema.h"

/* "application/vnd.kubernetes.protobuf", parameters ignored */
bool sw_protobuf_is(const char *content_type);

/* gives in *out: the object with apiVersion and kind, empty strings and zeroes of optional fields left out as a JSON
 * client would. Any kind of the resource table, and DeleteOptions. Go on with sw_object_decode(). */
__attribute__((warn_unused_result)) json_t *sw_protobuf_decode(const struct sw_schema *s, const void *bytes, size_t len,
							       json_t **out);

#endif
