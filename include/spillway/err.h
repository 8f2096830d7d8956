/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h - the one way a spillway function says that it failed
 *
 * An sw_err travels by value. Its code says what a *caller* may do next; its
 * text is for a person and is never compared. The text is a copy inside the
 * struct, so an sw_err owns nothing and needs no release.
 *
 * A good text says what failed, where (file:line:column or a JSON path), what
 * was found, what was expected and what happens next, in that order:
 *
 *   return sw_err(SW_E_INVALID, "%s:%d:%d: idle_seconds: found \"soon\", "
 *                 "expected a whole number from 0 to 86400", file, line, col);
 *
 * Wrap on the way up to add where you were:
 *
 *   if (sw_failed(e))
 *           return sw_err_wrap(e, "cluster %s", name);
 */
#ifndef SPILLWAY_ERR_H
#define SPILLWAY_ERR_H

#include <stdbool.h>

/* code, what a reconciler does with it, short name for logs and metrics */
#define SW_ERR_MAP(X)                                                                                                  \
	X(OK, NONE, "ok")                                                                                              \
	X(CONFLICT, NOW, "conflict")  /* HTTP 409: read again, retry now   */                                          \
	X(EXISTS, TERMINAL, "exists") /* HTTP 409 AlreadyExists            */                                          \
	X(GONE, RELIST, "gone")       /* HTTP 410: resourceVersion expired */                                          \
	X(NET, BACKOFF, "network")                                                                                     \
	X(TIMEOUT, BACKOFF, "timeout")                                                                                 \
	X(BUSY, BACKOFF, "busy")           /* HTTP 429, 5xx                     */                                     \
	X(AUTH, BACKOFF, "auth")           /* 401: a token may be rotated under us */                                  \
	X(FORBIDDEN, BACKOFF, "forbidden") /* 403: an operator may grant it later */                                   \
	X(NOMEM, BACKOFF, "nomem")                                                                                     \
	X(IO, BACKOFF, "io")                    /* disk full, file unreadable        */                                \
	X(MISSING, TERMINAL, "missing")         /* HTTP 404                          */                                \
	X(INVALID, TERMINAL, "invalid")         /* HTTP 400, 422: the input is wrong */                                \
	X(TOOBIG, TERMINAL, "too-big")          /* HTTP 413, or a reply over its limit */                              \
	X(UNSUPPORTED, TERMINAL, "unsupported") /* HTTP 405, 406, 415            */                                    \
	X(POLICY, TERMINAL, "policy")           /* a Lua policy failed or broke a limit */                             \
	X(CANCELED, NONE, "canceled")

enum sw_retry { SW_RETRY_NONE, SW_RETRY_NOW, SW_RETRY_BACKOFF, SW_RETRY_RELIST, SW_RETRY_TERMINAL };

enum sw_code {
#define X(id, retry, name) SW_E_##id,
	SW_ERR_MAP(X)
#undef X
		SW_E__COUNT
};

struct sw_err {
	enum sw_code code;
	char text[380]; /* NUL-terminated, cut with "..." rather than overrun */
};

#define SW_OK ((struct sw_err){.code = SW_E_OK})

static inline bool sw_failed(struct sw_err e)
{
	return e.code != SW_E_OK;
}

__attribute__((format(printf, 2, 3), warn_unused_result)) struct sw_err sw_err(enum sw_code code, const char *fmt, ...);

/* Same code, "prefix: old text". An OK error stays OK. */
__attribute__((format(printf, 2, 3), warn_unused_result)) struct sw_err sw_err_wrap(struct sw_err e, const char *fmt,
										    ...);

/* Maps an API server's HTTP status (2xx is SW_OK). `reason` is the Status
 * object's reason ("AlreadyExists", "Expired", ...) or NULL: it tells 409
 * AlreadyExists from 409 Conflict. `message` is quoted, never parsed. */
__attribute__((warn_unused_result)) struct sw_err sw_err_http(long status, const char *reason, const char *message);

enum sw_retry sw_err_retry(enum sw_code code);
const char *sw_code_name(enum sw_code code);

/* A bug, not an error: prints where and aborts. On in release builds. */
#define SW_REQUIRE(cond) ((cond) ? (void)0 : sw_require_failed(#cond, __FILE__, __LINE__))
_Noreturn void sw_require_failed(const char *cond, const char *file, int line);

/* The nearest of n names to `found` by edit distance, or NULL if none is near
 * enough to be worth suggesting. For "did you mean" in messages. */
const char *sw_nearest(const char *found, const char *const *names, int n);

#endif
