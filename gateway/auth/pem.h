/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pem.h - are these bytes the certificates and keys that they should be?
 *
 * Checked before curl sees them: curl would say less, and OpenSSL would ask a terminal for the password
 * of an encrypted key. `where` begins the error text.
 */
#ifndef SPILLWAY_AUTH_PEM_H
#define SPILLWAY_AUTH_PEM_H

#include "spillway/err.h"

__attribute__((warn_unused_result)) struct sw_err pem_check_certs(const char *where, const char *pem);
/* The first certificate must belong to the key. */
__attribute__((warn_unused_result)) struct sw_err pem_check_pair(const char *where, const char *cert, const char *key);

#endif
