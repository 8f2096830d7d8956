/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential.c - when the token or certificate that requests carry ends
 *
 * A service account's token is a JWT: its payload names "exp" (RFC 7519, 4.1.4). It is read, not verified: the API
 * server does that.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "spillway/text.h"

enum { TOKEN_MAX = 16384, DAY_S = 86400, SOON_DAYS = 7 };

/* base64url without padding -> standard base64 with it. RFC 4648, 5 */
static char *plain_base64(const char *s, size_t n)
{
	char *out = sw_calloc(n + 4, 1);

	for (size_t i = 0; i < n; i++)
		out[i] = s[i] == '-' ? '+' : s[i] == '_' ? '/' : s[i];
	while (n % 4)
		out[n++] = '=';
	return out;
}

static int64_t token_end(const char *token)
{
	const char *payload = strchr(token, '.'), *end = payload ? strchr(payload + 1, '.') : NULL;
	unsigned char *bytes = NULL;
	json_t *claims = NULL;
	size_t len;
	int64_t at = 0;

	if (!end || strlen(token) > TOKEN_MAX)
		return 0;
	char *text = plain_base64(payload + 1, (size_t)(end - payload - 1));
	if (!sw_failed(sw_base64_decode(text, strlen(text), &bytes, &len)) &&
	    !sw_failed(sw_json_parse((const char *)bytes, len, &claims)))
		at = sw_json_int(claims, "exp", 0);
	json_object_put(claims);
	free(bytes);
	free(text);
	return at > 0 && at < INT64_MAX / 1000 ? at * 1000 : 0;
}

static int64_t certificate_end(const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	struct tm tm;
	int64_t at = 0;

	if (cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
		at = (int64_t)timegm(&tm) * 1000;
	X509_free(cert);
	BIO_free(in);
	ERR_clear_error();
	return at;
}

struct doctor_credential doctor_credential_read(const char *authorization, const char *cert_pem)
{
	static const char bearer[] = "Bearer ";
	struct doctor_credential c = {0};

	if (authorization && strncmp(authorization, bearer, sizeof bearer - 1) == 0)
		c = (struct doctor_credential){"token", token_end(authorization + sizeof bearer - 1), false};
	else if (cert_pem)
		c = (struct doctor_credential){"client certificate", certificate_end(cert_pem), false};
	return c.expires_ms ? c : (struct doctor_credential){0};
}

void doctor_check_credential(struct doctor_site *s, struct doctor_cluster *c)
{
	char when[32], age[32];
	int64_t left = c->credential.expires_ms - s->now_ms;
	char *mend =
		sw_asprintf("on %s: kubectl -n spillway-system create token spillway --duration 8760h; put it into "
			    "its kubeconfig, which is read again by itself",
			    c->name);

	if (!c->credential.what) {
		doctor_say(s, c, DOCTOR_OK, "credentials", NULL, "no end, or not known here");
		free(mend);
		return;
	}
	sw_time_text(c->credential.expires_ms, when);
	sw_age_text(left < 0 ? -left : left, age);
	if (left <= 0)
		doctor_say(s, c, DOCTOR_FAIL, "credentials", mend, "the %s ended %s ago (%s)", c->credential.what, age,
			   when);
	else if (left < (int64_t)SOON_DAYS * DAY_S * 1000 && !c->credential.renews)
		doctor_say(s, c, DOCTOR_WARN, "credentials", mend, "the %s ends in %s (%s)", c->credential.what, age,
			   when);
	else {
		doctor_say(s, c, DOCTOR_OK, "credentials", NULL, "the %s ends in %s%s", c->credential.what, age,
			   c->credential.renews ? " and is renewed by itself" : "");
		free(mend);
	}
}
