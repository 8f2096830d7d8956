/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_priv.h - a kubeconfig's context as structs, shared by the files of this room
 */
#ifndef SPILLWAY_AUTH_PRIV_H
#define SPILLWAY_AUTH_PRIV_H

#include "spillway/json.h"
#include "spillway/kubeconfig.h"
#include "spillway/yaml.h"

/* PEM text given inside (data) or in a file (path, absolute or relative to the process). data wins. */
struct pem_source {
	char *data, *path;
};

struct exec_spec {
	char *api_version, *command, *install_hint;
	char **argv; /* argv[0] is the command; NULL-terminated */
	char **env;  /* "NAME=value", NULL-terminated */
	bool provide_cluster;
	json_t *config; /* of the cluster's extension for exec plugins, or NULL */
};

struct sw_kubeconfig {
	char *name, *dir; /* dir NULL: from memory, no files */
	char *server, *ns, *tls_server_name, *proxy_url;
	bool insecure, disable_compression;
	struct pem_source ca, cert, key;
	char *token, *token_file, *username, *password;
	struct exec_spec *exec;
};

enum { AUTH_FILE_MAX = 1 << 20 };

/* exec_spec.c: users[].user.exec */
__attribute__((warn_unused_result)) struct sw_err exec_spec_read(const struct sw_yaml *y, json_t *exec,
								 struct sw_kubeconfig *kc);
void exec_spec_free(struct exec_spec *x);
/* gives the value of KUBERNETES_EXEC_INFO; ca is PEM or NULL */
char *exec_spec_info(const struct sw_kubeconfig *kc, const char *ca);

/* ---- exec_run.c: one run of a plugin ---------------------------------------- */

struct exec_result {
	char *token, *cert, *key; /* each may be NULL */
	int64_t expires_ms;       /* Unix; -1: not said */
};
void exec_result_fini(struct exec_result *r);

struct exec_run;
/* result is lent; take its pointers by setting them to NULL */
typedef void exec_done_fn(void *owner, struct sw_err err, struct exec_result *result);

/* done as in http.h: once, later, or never after a cancel. info is copied. */
__attribute__((warn_unused_result)) struct sw_err exec_run_start(struct sw_loop *loop, const struct exec_spec *x,
								 const char *info, exec_done_fn *done, void *owner,
								 struct exec_run **out);
void exec_run_cancel(struct exec_run *r);

/* exec_reply.c: what the plugin printed */
__attribute__((warn_unused_result)) struct sw_err exec_reply_parse(const struct exec_spec *x, const char *text,
								   size_t len, struct exec_result *out);

#endif
