/* SPDX-License-Identifier: Apache-2.0 */
/* pem.c - checks PEM texts with OpenSSL; keeps nothing */
#include "pem.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

static X509 *first_cert(const char *pem, int *count)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *first = NULL, *cert;

	*count = 0;
	while (in && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		if (++*count == 1)
			first = cert;
		else
			X509_free(cert);
	}
	BIO_free(in);
	ERR_clear_error(); /* the end of the text is an "error" */
	return first;
}

struct sw_err pem_check_certs(const char *where, const char *pem)
{
	int count;

	X509_free(first_cert(pem, &count));
	if (count == 0)
		return sw_err(SW_E_INVALID,
			      "%s: found no certificate, expected PEM text with -----BEGIN CERTIFICATE-----", where);
	return SW_OK;
}

struct password_asked {
	bool asked;
};

static int no_password(char *buf, int size, int writing, void *arg)
{
	struct password_asked *p = arg;

	(void)buf;
	(void)size;
	(void)writing;
	p->asked = true;
	return -1;
}

static struct sw_err key_read(const char *where, const char *pem, EVP_PKEY **out)
{
	struct password_asked p = {false};
	BIO *in = BIO_new_mem_buf(pem, -1);

	*out = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, &p) : NULL;
	BIO_free(in);
	ERR_clear_error();
	if (*out)
		return SW_OK;
	if (p.asked)
		return sw_err(SW_E_INVALID, "%s: client-key: found an encrypted key, expected one without a password",
			      where);
	return sw_err(SW_E_INVALID, "%s: client-key: found no key, expected PEM text with -----BEGIN PRIVATE KEY-----",
		      where);
}

struct sw_err pem_check_pair(const char *where, const char *cert, const char *key)
{
	EVP_PKEY *pkey = NULL;
	X509 *x;
	int count;
	struct sw_err e = key_read(where, key, &pkey);

	if (sw_failed(e))
		return e;
	x = first_cert(cert, &count);
	if (!x)
		e = sw_err(SW_E_INVALID,
			   "%s: client-certificate: found no certificate, expected PEM text with -----BEGIN "
			   "CERTIFICATE-----",
			   where);
	else if (X509_check_private_key(x, pkey) != 1)
		e = sw_err(SW_E_INVALID,
			   "%s: client-certificate and client-key do not belong together: expected the certificate of "
			   "this key",
			   where);
	ERR_clear_error();
	X509_free(x);
	EVP_PKEY_free(pkey);
	return e;
}
