/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c - the server's own CA and certificate, and kubeconfigs that trust them
 *
 * Made on first start in the data directory: ca.crt, ca.key, server.crt, server.key (EC P-256, keys with
 * mode 0600). The CA is valid for ten years; the server's certificate for 397 days, and is
 * made anew at a start when less than 90 days are left, the names to serve have changed, or it
 * does not fit the CA.
 */
#include "api_priv.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "spillway/log.h"
#include "spillway/text.h"

enum { CA_DAYS = 3653, SERVER_DAYS = 397, RENEW_DAYS = 90, PEM_MAX = 64 << 10, DAY_S = 86400 };

struct pair {
	X509 *cert;
	EVP_PKEY *key;
};

static void pair_free(struct pair *p)
{
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
	*p = (struct pair){.cert = NULL};
}

/* ---- PEM files -------------------------------------------------------------------- */

static struct sw_err bio_write(BIO *bio, bool ok, const char *path, int mode)
{
	char *text = NULL;
	long n = bio ? BIO_get_mem_data(bio, &text) : 0;
	if (!ok || n <= 0)
		return sw_err(SW_E_NOMEM, "%s: encoding PEM failed", path);
	return sw_file_write(path, text, (size_t)n, mode);
}

static struct sw_err pair_write(const struct pair *p, const char *cert_path, const char *key_path)
{
	BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	struct sw_err e = bio_write(key, key && PEM_write_bio_PrivateKey(key, p->key, NULL, NULL, 0, NULL, NULL) == 1,
				    key_path, 0600);
	if (!sw_failed(e))
		e = bio_write(cert, cert && PEM_write_bio_X509(cert, p->cert) == 1, cert_path, 0644);
	BIO_free(cert);
	BIO_free(key);
	return e;
}

static BIO *bio_read(const char *path, char **text)
{
	size_t len = 0;
	if (sw_failed(sw_file_read(path, PEM_MAX, text, &len)))
		return NULL;
	return BIO_new_mem_buf(*text, (int)len);
}

/* false: absent, unreadable, or the two do not fit each other. */
static bool pair_read(struct pair *p, const char *cert_path, const char *key_path)
{
	char *cert_text = NULL, *key_text = NULL;
	BIO *cert = bio_read(cert_path, &cert_text), *key = bio_read(key_path, &key_text);
	p->cert = cert ? PEM_read_bio_X509(cert, NULL, NULL, NULL) : NULL;
	p->key = key ? PEM_read_bio_PrivateKey(key, NULL, NULL, NULL) : NULL;
	BIO_free(cert);
	BIO_free(key);
	free(cert_text);
	free(key_text);
	if (p->cert && p->key && X509_check_private_key(p->cert, p->key) == 1)
		return true;
	pair_free(p);
	return false;
}

/* ---- making certificates ---------------------------------------------------------------- */

static bool extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool names_set(X509 *cert, X509 *issuer, const char *common_name)
{
	X509_NAME *name = X509_get_subject_name(cert);
	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"spillway", -1, -1, 0) ==
		       1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) ==
		       1 &&
	       X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1;
}

static bool serial_set(X509 *cert)
{
	unsigned char bytes[16];
	sw_random(bytes, sizeof(bytes));
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and all 16 bytes count */
	BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok;
}

static bool dates_set(X509 *c, int days)
{
	return X509_gmtime_adj(X509_getm_notBefore(c), -DAY_S) &&
	       X509_gmtime_adj(X509_getm_notAfter(c), (long)days * DAY_S);
}

struct extension {
	int nid;
	const char *value;
};

static bool extensions_add(X509 *c, X509 *issuer, const struct extension *list)
{
	for (; list->value; list++)
		if (!extension_add(c, issuer, list->nid, list->value))
			return false;
	return true;
}

/* sans NULL: a CA that signs itself. */
static struct sw_err pair_make(struct pair *p, const struct pair *ca, const char *common_name, const char *sans,
			       int days)
{
	const struct extension of_ca[] = {
		{NID_basic_constraints, "critical,CA:TRUE"},
		{NID_key_usage, "critical,keyCertSign,cRLSign"},
		{NID_subject_key_identifier, "hash"},
		{0, NULL},
	};
	const struct extension of_server[] = {
		{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"},
		{NID_ext_key_usage, "serverAuth"},
		{NID_authority_key_identifier, "keyid"},
		{NID_subject_alt_name, sans},
		{0, NULL},
	};
	p->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	p->cert = X509_new();
	X509 *c = p->cert, *issuer = ca ? ca->cert : c;
	bool ok = p->key && c && X509_set_version(c, 2) == 1 && serial_set(c) && names_set(c, issuer, common_name) &&
		  dates_set(c, days) && X509_set_pubkey(c, p->key) == 1 &&
		  extensions_add(c, issuer, sans ? of_server : of_ca);
	if (ok && X509_sign(c, ca ? ca->key : p->key, EVP_sha256()) > 0)
		return SW_OK;
	pair_free(p);
	return sw_err(SW_E_INVALID, "making the certificate for %s failed; names to serve: %s", common_name,
		      sans ? sans : "none (CA)");
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool is_address(const char *host)
{
	unsigned char a[16];
	return inet_pton(AF_INET, host, a) == 1 || inet_pton(AF_INET6, host, a) == 1;
}

typedef bool host_fn(void *owner, const char *host);

/* Every name and address the certificate must hold; stops when fn says false. */
static bool each_host(const char *const *hosts, host_fn *fn, void *owner)
{
	static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
	char self[256] = "";
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (!fn(owner, always[i]))
			return false;
	if (gethostname(self, sizeof(self) - 1) == 0 && *self && !fn(owner, self))
		return false;
	for (size_t i = 0; hosts && hosts[i]; i++)
		if (!fn(owner, hosts[i]))
			return false;
	return true;
}

static bool host_is_in(void *owner, const char *host)
{
	X509 *cert = owner;
	return is_address(host) ? X509_check_ip_asc(cert, host, 0) == 1 : X509_check_host(cert, host, 0, 0, NULL) == 1;
}

static bool host_add(void *owner, const char *host)
{
	struct sw_buf *b = owner;
	if ((!*host || strpbrk(host, ",:\n ")) && !is_address(host))
		return false; /* would be read as more than one name */
	sw_buf_printf(b, "%s%s:%s", b->len ? "," : "", is_address(host) ? "IP" : "DNS", host);
	return true;
}

/* ---- what is there, or is made ------------------------------------------------------------------ */

static bool has_days(const X509 *cert, int days)
{
	int left = 0, s = 0;
	return ASN1_TIME_diff(&left, &s, NULL, X509_get0_notAfter(cert)) == 1 && left >= days;
}

static bool server_fits(const struct pair *server, const struct pair *ca, const char *const *hosts)
{
	EVP_PKEY *pub = X509_get0_pubkey(ca->cert);
	return has_days(server->cert, RENEW_DAYS) && X509_verify(server->cert, pub) == 1 &&
	       each_host(hosts, host_is_in, server->cert);
}

static struct sw_err ca_ensure(struct pair *ca, const char *dir, const char *name)
{
	char *cert = sw_asprintf("%s/ca.crt", dir), *key = sw_asprintf("%s/ca.key", dir),
	     *server = sw_asprintf("%s/server.crt", dir), *cn = sw_asprintf("spillway CA for %s", name);
	struct sw_err e = SW_OK;
	if (!pair_read(ca, cert, key)) {
		/* A new CA locks out every client that trusts the old one: never replace one that is merely unreadable.
		 * A key alone, with nothing signed yet, is what a first start leaves that was killed between the two
		 * files. */
		bool unborn = access(cert, F_OK) != 0 && access(server, F_OK) != 0;
		if (!unborn)
			e = sw_err(SW_E_INVALID,
				   "%s and %s: not readable, or they do not fit each other; restore them, or remove "
				   "both to get a "
				   "new CA (every kubeconfig must then be written again)",
				   cert, key);
		if (!sw_failed(e))
			e = pair_make(ca, NULL, strlen(cn) > 64 ? "spillway CA" : cn, NULL, CA_DAYS);
		if (!sw_failed(e))
			e = pair_write(ca, cert, key);
	} else if (!has_days(ca->cert, RENEW_DAYS)) {
		sw_log(WARN, "api", "the CA expires in less than 90 days: remove ca.crt and ca.key to get a new one",
		       "file=%s", cert);
	}
	free(cert);
	free(key);
	free(server);
	free(cn);
	return e;
}

static struct sw_err server_ensure(const struct pair *ca, const char *dir, const char *const *hosts)
{
	char *cert = sw_asprintf("%s/server.crt", dir), *key = sw_asprintf("%s/server.key", dir);
	struct pair server = {.cert = NULL};
	struct sw_buf sans;
	struct sw_err e = SW_OK;
	sw_buf_init(&sans, 64 << 10);
	bool fits = pair_read(&server, cert, key) && server_fits(&server, ca, hosts);
	if (!fits) {
		pair_free(&server);
		if (!each_host(hosts, host_add, &sans) || !sw_buf_ok(&sans))
			e = sw_err(SW_E_INVALID, "names to serve (%s, ...): expected DNS names and IP addresses",
				   sans.at ? sans.at : "");
		if (!sw_failed(e))
			e = pair_make(&server, ca, "spillway API server", sans.at, SERVER_DAYS);
		if (!sw_failed(e))
			e = pair_write(&server, cert, key);
	}
	pair_free(&server);
	sw_buf_fini(&sans);
	free(cert);
	free(key);
	return e;
}

static struct sw_err pem_load(const char *dir, const char *name, char **out)
{
	char *path = sw_asprintf("%s/%s", dir, name);
	size_t len;
	struct sw_err e = sw_file_read(path, PEM_MAX, out, &len);
	free(path);
	return e;
}

struct sw_err tls_load(const char *dir, const char *name, const char *const *hosts, struct tls *out)
{
	struct pair ca = {.cert = NULL};
	struct sw_err e = ca_ensure(&ca, dir, name);
	if (!sw_failed(e))
		e = server_ensure(&ca, dir, hosts);
	pair_free(&ca);
	if (!sw_failed(e))
		e = pem_load(dir, "ca.crt", &out->ca_pem);
	if (!sw_failed(e))
		e = pem_load(dir, "server.crt", &out->cert_pem);
	if (!sw_failed(e))
		e = pem_load(dir, "server.key", &out->key_pem);
	return e;
}

void tls_free(struct tls *t)
{
	free(t->ca_pem);
	free(t->cert_pem);
	if (t->key_pem)
		OPENSSL_cleanse(t->key_pem, strlen(t->key_pem));
	free(t->key_pem);
	*t = (struct tls){.ca_pem = NULL};
}

/* ---- kubeconfig ---------------------------------------------------------------------------------------- */

/* Its words are written as JSON strings, which YAML reads as they are. Its namespace is the first of the user's. */
void kubeconfig_text(struct sw_api *a, const char *url, const char *user, const char *token, const char *namespaces,
		     struct sw_buf *out)
{
	bool any = !namespaces || !*namespaces || *namespaces == '*';
	char *ns = any ? sw_strdup("default") : sw_asprintf("%.*s", (int)strcspn(namespaces, ","), namespaces);
	char *ca = sw_base64(a->tls.ca_pem, strlen(a->tls.ca_pem));
	sw_buf_puts(out, "apiVersion: v1\nkind: Config\nclusters:\n- name: ");
	sw_buf_json_str(out, a->name);
	sw_buf_puts(out, "\n  cluster:\n    server: ");
	sw_buf_json_str(out, url);
	sw_buf_printf(out, "\n    certificate-authority-data: %s\nusers:\n- name: ", ca);
	sw_buf_json_str(out, user);
	sw_buf_puts(out, "\n  user:\n    token: ");
	sw_buf_json_str(out, token);
	sw_buf_puts(out, "\ncontexts:\n- name: ");
	sw_buf_json_str(out, a->name);
	sw_buf_puts(out, "\n  context:\n    cluster: ");
	sw_buf_json_str(out, a->name);
	sw_buf_puts(out, "\n    user: ");
	sw_buf_json_str(out, user);
	sw_buf_puts(out, "\n    namespace: ");
	sw_buf_json_str(out, ns);
	sw_buf_puts(out, "\ncurrent-context: ");
	sw_buf_json_str(out, a->name);
	sw_buf_puts(out, "\n");
	free(ns);
	free(ca);
}

struct sw_err sw_api_kubeconfig_write(struct sw_api *a, const char *path, const char *user, const char *token)
{
	struct sw_buf b;
	sw_buf_init(&b, 256 << 10);
	kubeconfig_text(a, a->url, user, token, NULL, &b);
	struct sw_err e =
		sw_buf_ok(&b) ? sw_file_write(path, b.at, b.len, 0600) : sw_err(SW_E_NOMEM, "%s: out of memory", path);
	sw_buf_fini(&b);
	return e;
}
