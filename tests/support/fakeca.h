/* SPDX-License-Identifier: Apache-2.0 */
/* fakeca.h - throw-away certificate authorities for tests: EC keys, PEM texts, made in memory */
#ifndef TESTS_FAKECA_H
#define TESTS_FAKECA_H

struct fake_ca;
struct fake_cert {
	char *cert, *key;
}; /* PEM; free with fake_cert_fini */

struct fake_ca *fake_ca_new(const char *name);
void fake_ca_free(struct fake_ca *ca);
const char *fake_ca_pem(const struct fake_ca *ca); /* lent */
/* san: "IP:127.0.0.1,DNS:name" or NULL. Valid from from_s to to_s seconds after now. */
struct fake_cert fake_ca_issue(struct fake_ca *ca, const char *cn, const char *san, long from_s, long to_s);
void fake_cert_fini(struct fake_cert *c);

#endif
