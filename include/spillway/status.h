/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - metav1.Status objects, the way an API server says no
 *
 * Every function that can refuse a request returns one of these: NULL means fine, otherwise it *gives* a Status
 * object (json_object_put() it, or send it). Clients switch on `reason` and `code`; the message is for people.
 * The HTTP status line takes sw_status_code().
 *
 *   json_t *no = sw_object_decode(...);
 *   if (no)
 *           return reply(req, sw_status_code(no), no);
 */
#ifndef SPILLWAY_STATUS_H
#define SPILLWAY_STATUS_H

#include "spillway/json.h"
#include "spillway/resource.h"

/* Reasons and their codes: k8s.io/apimachinery/pkg/apis/meta/v1/types.go, StatusReason*. */
#define SW_REASON_MAP(X)                                                                                               \
	X(BAD_REQUEST, 400, "BadRequest")                                                                              \
	X(UNAUTHORIZED, 401, "Unauthorized")                                                                           \
	X(FORBIDDEN, 403, "Forbidden")                                                                                 \
	X(NOT_FOUND, 404, "NotFound")                                                                                  \
	X(NO_METHOD, 405, "MethodNotAllowed")                                                                          \
	X(NOT_ACCEPTABLE, 406, "NotAcceptable")                                                                        \
	X(EXISTS, 409, "AlreadyExists")                                                                                \
	X(CONFLICT, 409, "Conflict")                                                                                   \
	X(EXPIRED, 410, "Expired")                                                                                     \
	X(TOO_LARGE, 413, "RequestEntityTooLarge")                                                                     \
	X(MEDIA_TYPE, 415, "UnsupportedMediaType")                                                                     \
	X(INVALID, 422, "Invalid")                                                                                     \
	X(TOO_MANY, 429, "TooManyRequests")                                                                            \
	X(INTERNAL, 500, "InternalError")                                                                              \
	X(UNAVAILABLE, 503, "ServiceUnavailable")                                                                      \
	X(TIMEOUT, 504, "Timeout")                                                                                     \
	X(FULL, 507, "InsufficientStorage") /* ours: the disk is full */
enum sw_reason {
#define X(id, code, word) SW_REASON_##id,
	SW_REASON_MAP(X)
#undef X
};

/* gives. Failure with reason, its code, and a message. */
__attribute__((format(printf, 2, 3))) json_t *sw_status(enum sw_reason reason, const char *fmt, ...);
int sw_status_code(json_t *status);            /* 500 if it is not a Status */
const char *sw_status_message(json_t *status); /* lent, never NULL */
/* details: any argument may be NULL. kind is the *plural* for 404, 409 and 403, the *Kind* for 422. */
void sw_status_details(json_t *status, const char *name, const char *group, const char *kind);
void sw_status_cause(json_t *status, const char *reason, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void sw_status_retry_after(json_t *status, int seconds);

/* The usual ones, with the words of the real server. */
json_t *sw_status_not_found(const struct sw_resource *r, const char *name); /* jobs.batch "j2" not found */
json_t *sw_status_namespace_missing(const char *ns);                        /* namespaces "x" not found */
json_t *sw_status_no_resource(void); /* 404: the server could not find the requested resource */
json_t *sw_status_exists(const struct sw_resource *r, const char *name, bool being_deleted);
/* NULL why: "the object has been modified; please apply your changes to the latest version and try again" */
json_t *sw_status_conflict(const struct sw_resource *r, const char *name, const char *why);
/* name "" for list, watch and create; ns "" = at the cluster scope; sub NULL or "log" */
json_t *sw_status_forbidden(const struct sw_resource *r, const char *name, const char *user, const char *verb,
			    const char *sub, const char *ns);
json_t *sw_status_media_type(const struct sw_resource *r); /* 415 for a body or patch type, lists what is accepted */
/* The nearest Status for an error from our own rooms (CONFLICT, EXISTS, IO, BUSY, TOOBIG, ...); text becomes the
 * message. */
json_t *sw_status_of(struct sw_err e, const struct sw_resource *r, const char *name);
/* gives: {"status":"Success","details":{name,group,kind: plural,uid}}, the answer to DELETE */
json_t *sw_status_success(const struct sw_resource *r, const char *name, const char *uid);

/* ---- a list of field errors that becomes one 422 ---------------------------------- */

enum { SW_CAUSES_MAX = 100 };
struct sw_causes {
	json_t *list; /* array of {reason,message,field}, or NULL */
	size_t n;
	size_t dropped;
};
static inline bool sw_causes_any(const struct sw_causes *c)
{
	return c->n > 0;
}
void sw_causes_fini(struct sw_causes *c);

/* reason: FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, FieldValueDuplicate, FieldValueForbidden,
 * FieldValueTooLong, FieldValueNotFound. The message is built in the real server's form: "Invalid value: \"x\": must be
 * ..." */
void sw_cause_required(struct sw_causes *c, const char *path, const char *detail);
/* value is shown as JSON (a string quoted); lent, may be NULL */
__attribute__((format(printf, 4, 5))) void sw_cause_invalid(struct sw_causes *c, const char *path, json_t *value,
							    const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void sw_cause_too_long(struct sw_causes *c, const char *path, json_t *value,
							     const char *fmt, ...);
void sw_cause_not_supported(struct sw_causes *c, const char *path, json_t *value, const char *const *supported,
			    size_t n);
void sw_cause_duplicate(struct sw_causes *c, const char *path, json_t *value);
void sw_cause_not_found(struct sw_causes *c, const char *path, json_t *value);
__attribute__((format(printf, 3, 4))) void sw_cause_forbidden(struct sw_causes *c, const char *path, const char *fmt,
							      ...);

/* gives: Job.batch "j" is invalid: [...], with causes. Empties c. NULL if c has none. */
json_t *sw_status_invalid(const struct sw_resource *r, const char *name, struct sw_causes *c);

#endif
