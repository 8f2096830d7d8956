/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubeconfig.h - who and where: one context of a kubeconfig file, and its credentials
 *
 * Honoured: server, certificate-authority(-data), insecure-skip-tls-verify, tls-server-name,
 * proxy-url; token, tokenFile (re-read when it changes), client-certificate(-data),
 * client-key(-data), username/password, exec (client.authentication.k8s.io v1 and v1beta1,
 * run without a shell, environment given, output limited, cached until expirationTimestamp).
 * tokenFile wins over token, -data over the file of the same name, as with kubectl. disable-compression
 * and extensions are accepted. auth-provider and impersonation (as, as-groups) are refused by name, unknown
 * fields of the chosen cluster and user too: never ignored. Credentials for an http:// server are refused
 * unless it is this machine.
 *
 * Errors name file:line:column or the YAML path, what was found and what was expected.
 * Sources: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ and
 * https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
 */
#ifndef SPILLWAY_KUBECONFIG_H
#define SPILLWAY_KUBECONFIG_H

#include "spillway/err.h"
#include "spillway/http.h"
#include "spillway/loop.h"

struct sw_kubeconfig; /* opaque, immutable */

/* Reads a file; relative paths inside are relative to it. context NULL: current-context. gives. */
__attribute__((warn_unused_result)) struct sw_err sw_kubeconfig_load(const char *path, const char *context,
								     struct sw_kubeconfig **out);
/* The same from text already in memory (a Secret); file references and exec plugins are refused: whoever may write
 * the Secret may not read our files or run our programs. `name` is for messages. */
__attribute__((warn_unused_result)) struct sw_err sw_kubeconfig_parse(const char *name, const char *text, size_t len,
								      const char *context, struct sw_kubeconfig **out);
/* In a pod: writes data_dir/pod.kubeconfig, which uses its service account, and gives that path. INVALID elsewhere. */
__attribute__((warn_unused_result)) struct sw_err sw_kubeconfig_of_pod(const char *data_dir, char **path);
void sw_kubeconfig_free(struct sw_kubeconfig *kc);
const char *
sw_kubeconfig_server(const struct sw_kubeconfig *kc);      /* "https://host:port/prefix" without trailing slash */
bool sw_kubeconfig_renews(const struct sw_kubeconfig *kc); /* its token comes anew from a plugin or a file */
const char *sw_kubeconfig_namespace(const struct sw_kubeconfig *kc); /* "default" if unset */

/* ---- credentials: what goes with the next request ------------------------ */

struct sw_cred; /* opaque: keeps tokens fresh for one kubeconfig */

struct sw_cred_now {
	const char *authorization; /* value of the header ("Bearer ..."), or NULL */
	struct sw_tls tls;
	const char *proxy_url;
	uint64_t version; /* grows when anything of the above changed: after a 401 with the same version, do not try
			     again */
};                        /* all lent until the callback returns */

typedef void sw_cred_fn(void *owner, struct sw_err err, const struct sw_cred_now *cred);
struct sw_cred_wait;

__attribute__((warn_unused_result)) /* kc is lent and must outlive the cred */
struct sw_err
sw_cred_new(struct sw_loop *loop, const struct sw_kubeconfig *kc, struct sw_cred **out);
void sw_cred_free(struct sw_cred *c);
/* Calls back once, later (never from inside): at once if fresh, else after the exec
 * plugin or file read. Several waiters share one plugin run. */
__attribute__((warn_unused_result)) struct sw_err sw_cred_get(struct sw_cred *c, sw_cred_fn *done, void *owner,
							      struct sw_cred_wait **out);
/* Fast path: true and *now filled (lent until the next call on c) if nothing has to be waited for. */
bool sw_cred_ready(struct sw_cred *c, struct sw_cred_now *now);
void sw_cred_cancel(struct sw_cred_wait *w);
/* The server said 401: what is cached is bad. Files are re-read, plugins run again (at most once per 10 s). */
void sw_cred_rejected(struct sw_cred *c);

#endif
