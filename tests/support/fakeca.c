/* SPDX-License-Identifier: Apache-2.0 */
/* fakeca.c - X.509 by OpenSSL, as little as TLS needs */
#include "fakeca.h"
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/err.h"
#include "spillway/text.h"

struct fake_ca {
	X509 *cert;
	EVP_PKEY *key;
	char *pem;
	long serial;
};

static char *bio_text(BIO *b)
{
	char *at;
	long n = BIO_get_mem_data(b, &at);
	char *text = sw_calloc(1, (size_t)n + 1);

	memcpy(text, at, (size_t)n);
	BIO_free(b);
	return text;
}

static char *cert_text(X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(b, x);
	return bio_text(b);
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	SW_REQUIRE(ext);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
}

static X509 *certificate(EVP_PKEY *key, const char *cn, long serial, long from_s, long to_s)
{
	X509 *x = X509_new();

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	X509_gmtime_adj(X509_getm_notBefore(x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), to_s);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	return x;
}

struct fake_ca *fake_ca_new(const char *name)
{
	struct fake_ca *ca = sw_calloc(1, sizeof *ca);

	ca->key = EVP_EC_gen("P-256");
	ca->cert = certificate(ca->key, name, 1, -3600, 86400);
	ca->serial = 1;
	X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert));
	extend(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
	extend(ca->cert, ca->cert, NID_subject_key_identifier, "hash");
	SW_REQUIRE(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0);
	ca->pem = cert_text(ca->cert);
	return ca;
}

void fake_ca_free(struct fake_ca *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	free(ca->pem);
	free(ca);
}

const char *fake_ca_pem(const struct fake_ca *ca)
{
	return ca->pem;
}

struct fake_cert fake_ca_issue(struct fake_ca *ca, const char *cn, const char *san, long from_s, long to_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = certificate(key, cn, ++ca->serial, from_s, to_s);
	struct fake_cert out;
	BIO *b = BIO_new(BIO_s_mem());

	X509_set_issuer_name(x, X509_get_subject_name(ca->cert));
	if (san)
		extend(x, ca->cert, NID_subject_alt_name, san);
	SW_REQUIRE(X509_sign(x, ca->key, EVP_sha256()) > 0);
	PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	out = (struct fake_cert){.cert = cert_text(x), .key = bio_text(b)};
	X509_free(x);
	EVP_PKEY_free(key);
	return out;
}

void fake_cert_fini(struct fake_cert *c)
{
	free(c->cert);
	free(c->key);
	*c = (struct fake_cert){.cert = NULL};
}
