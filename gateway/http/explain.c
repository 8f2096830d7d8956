/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - what became of a transfer: the reply's headers, or the failure in words for a person
 *
 * "SSL certificate problem (60)" helps nobody: the usual mistakes with certificates each get a text that
 * says what is wrong and what to look at.
 */
#include "http_priv.h"
#include <openssl/x509_vfy.h>
#include <string.h>

/* ---- the reply ------------------------------------------------------------------ */

static const char *header_value(struct sw_call *c, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(c->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

/* Seconds, or an HTTP date. RFC 9110, 10.2.3 */
static int64_t retry_after(struct sw_call *c)
{
	const char *s = header_value(c, "Retry-After");
	int64_t ms = 0;
	size_t digits = s ? strspn(s, "0123456789") : 0;
	time_t at;

	if (!s)
		return -1;
	if (digits > 0 && digits <= 6 && s[digits] == '\0') {
		for (size_t i = 0; i < digits; i++)
			ms = ms * 10 + (s[i] - '0');
		return ms * 1000;
	}
	at = curl_getdate(s, NULL);
	if (at == (time_t)-1)
		return -1;
	ms = (int64_t)at * 1000 - sw_loop_wall(c->http->loop);
	return ms > 0 ? ms : 0;
}

static int64_t date_header(struct sw_call *c)
{
	const char *s = header_value(c, "Date");
	time_t at = s ? curl_getdate(s, NULL) : (time_t)-1;

	return at == (time_t)-1 ? 0 : (int64_t)at * 1000;
}

/* 299 - "text", with quoted pairs. RFC 7234, 5.5: the form API servers use */
static bool warning_text(const char *s, char *out, size_t size)
{
	const char *p = s ? strchr(s, '"') : NULL;
	size_t n = 0;

	if (!p)
		return false;
	for (p++; *p && *p != '"' && n + 1 < size; p++) {
		if (*p == '\\' && p[1])
			p++;
		out[n++] = *p;
	}
	out[n] = '\0';
	return n > 0;
}

void http_reply_fill(struct sw_call *c, struct sw_reply *r, char *warning, size_t warning_size)
{
	char *type = NULL;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &r->status);
	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
	r->content_type = type ? type : "";
	r->body = c->body.len > 0 ? c->body.at : "";
	r->len = c->body.len;
	r->retry_after_ms = retry_after(c);
	r->date_ms = date_header(c);
	r->warning = warning_text(header_value(c, "Warning"), warning, warning_size) ? warning : NULL;
}

/* ---- the failure ---------------------------------------------------------------- */

static const char *certificate_problem(long verify)
{
	switch (verify) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "the server's certificate, or the CA that signed it, has expired: it must be renewed "
		       "(or the clock of this machine is wrong)";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the server's certificate is not valid yet: the clock here or there is wrong";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return "the server's certificate is not signed by the CA that was given: wrong or outdated "
		       "certificate-authority, or another server answers at this address";
	case X509_V_ERR_CERT_REVOKED:
		return "the server's certificate has been revoked";
	default:
		return NULL;
	}
}

static struct sw_err explain_peer(struct sw_call *c)
{
	long verify = X509_V_OK;
	const char *words;

	curl_easy_getinfo(c->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	if (strstr(c->errbuf, "does not match") || strstr(c->errbuf, "subject name matches"))
		return sw_err(SW_E_NET,
			      "%s: TLS: the server's certificate is for another name: %s; expected the name in the "
			      "URL, or set tls-server-name",
			      c->what, c->errbuf);
	words = certificate_problem(verify);
	if (words)
		return sw_err(SW_E_NET, "%s: TLS: %s (%s)", c->what, words, X509_verify_cert_error_string(verify));
	return sw_err(SW_E_NET, "%s: TLS: the server's certificate was not accepted: %s", c->what, c->errbuf);
}

/* Alerts come during the handshake or, with TLS 1.3, with the first read. */
static bool is_client_cert_alert(const char *text)
{
	static const char *const alerts[] = {"certificate required", "bad certificate",     "alert unknown ca",
					     "certificate expired",  "certificate revoked", "certificate unknown",
					     "alert access denied"};

	for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++) {
		if (strstr(text, alerts[i]))
			return true;
	}
	return false;
}

static struct sw_err explain_other(struct sw_call *c, CURLcode rc)
{
	const char *text = c->errbuf[0] ? c->errbuf : curl_easy_strerror(rc);

	if (is_client_cert_alert(text))
		return sw_err(SW_E_NET, "%s: TLS: the server refused our client certificate, or wants one: %s", c->what,
			      text);
	return sw_err(SW_E_NET, "%s: %s", c->what, text);
}

struct sw_err http_explain(struct sw_call *c, CURLcode rc)
{
	if (rc == CURLE_OK && !c->headers_in) /* curl takes a connection that ends inside the headers for an answer */
		return sw_err(SW_E_NET, "%s: the reply was cut short inside its headers", c->what);
	if (rc == CURLE_OK)
		return SW_OK;
	if (c->too_big || rc == CURLE_FILESIZE_EXCEEDED)
		return sw_err(SW_E_TOOBIG, "%s: the reply is over the limit of %zu bytes and was dropped", c->what,
			      c->body.max);
	switch (rc) {
	case CURLE_OPERATION_TIMEDOUT:
		return sw_err(SW_E_TIMEOUT, "%s: %s", c->what, c->errbuf[0] ? c->errbuf : "no answer in time");
	case CURLE_OUT_OF_MEMORY:
		return sw_err(SW_E_NOMEM, "%s: out of memory", c->what);
	case CURLE_PEER_FAILED_VERIFICATION:
		return explain_peer(c);
	case CURLE_SSL_CACERT_BADFILE:
		return sw_err(SW_E_NET, "%s: TLS: certificate-authority holds no usable PEM certificate: %s", c->what,
			      c->errbuf);
	case CURLE_SSL_CERTPROBLEM:
		return sw_err(SW_E_NET, "%s: TLS: client-certificate and client-key cannot be used: %s", c->what,
			      c->errbuf);
	case CURLE_GOT_NOTHING:
		return sw_err(SW_E_NET, "%s: the server closed the connection without an answer", c->what);
	case CURLE_PARTIAL_FILE:
		return sw_err(SW_E_NET, "%s: the reply was cut short: %s", c->what, c->errbuf);
	default:
		return explain_other(c, rc);
	}
}
