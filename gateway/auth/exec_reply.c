/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_reply.c - reads the ExecCredential that a plugin printed
 *
 * Error texts never quote what was printed: it may hold a token.
 */
#include <stdlib.h>
#include <string.h>
#include "auth_priv.h"
#include "pem.h"
#include "spillway/text.h"

static void secret_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void exec_result_fini(struct exec_result *r)
{
	secret_free(r->token);
	secret_free(r->key);
	free(r->cert);
	*r = (struct exec_result){.expires_ms = -1};
}

static struct sw_err status_read(const struct exec_spec *x, json_t *status, struct exec_result *out)
{
	const char *token = sw_json_str(status, "token"), *expires = sw_json_str(status, "expirationTimestamp");
	const char *cert = sw_json_str(status, "clientCertificateData"), *key = sw_json_str(status, "clientKeyData");
	struct sw_err e = SW_OK;

	if (token && (strpbrk(token, "\r\n") || !*token))
		return sw_err(SW_E_AUTH, "exec plugin %s: status.token: found an empty text or a line break",
			      x->command);
	if (!cert != !key)
		return sw_err(
			SW_E_AUTH,
			"exec plugin %s: status: found %s alone, expected clientCertificateData and clientKeyData",
			x->command, cert ? "clientCertificateData" : "clientKeyData");
	if (!token && !cert)
		return sw_err(SW_E_AUTH, "exec plugin %s: status: found neither token nor clientCertificateData",
			      x->command);
	if (cert)
		e = pem_check_pair(x->command, cert, key);
	if (!sw_failed(e) && expires)
		e = sw_time_parse(expires, &out->expires_ms);
	if (sw_failed(e)) {
		e.code = SW_E_AUTH;
		return sw_err_wrap(e, "exec plugin %s: status", x->command);
	}
	out->token = sw_strdup(token);
	out->cert = sw_strdup(cert);
	out->key = sw_strdup(key);
	return SW_OK;
}

struct sw_err exec_reply_parse(const struct exec_spec *x, const char *text, size_t len, struct exec_result *out)
{
	json_t *o = NULL;
	const char *kind, *version;
	struct sw_err e = sw_json_parse(text, len, &o);

	*out = (struct exec_result){.expires_ms = -1};
	if (sw_failed(e) || !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return sw_err(SW_E_AUTH,
			      "exec plugin %s: found output of %zu bytes that is not a JSON object, expected an "
			      "ExecCredential",
			      x->command, len);
	}
	kind = sw_json_str(o, "kind");
	version = sw_json_str(o, "apiVersion");
	if (!kind || strcmp(kind, "ExecCredential") != 0)
		e = sw_err(SW_E_AUTH, "exec plugin %s: kind: found \"%.40s\", expected ExecCredential", x->command,
			   kind ? kind : "");
	else if (!version || strcmp(version, x->api_version) != 0)
		e = sw_err(SW_E_AUTH, "exec plugin %s: apiVersion: found \"%.60s\", expected %s as in the kubeconfig",
			   x->command, version ? version : "", x->api_version);
	else
		e = status_read(x, sw_json_at(o, "status"), out);
	json_object_put(o);
	return e;
}
