/* SPDX-License-Identifier: Apache-2.0 */
/* keyq_priv.h - what the reconciler asks its queue beyond the public calls */
#ifndef SPILLWAY_CORE_KEYQ_PRIV_H
#define SPILLWAY_CORE_KEYQ_PRIV_H

#include "spillway/keyq.h"

/* Failures in a row so far; 0 for an unknown key. */
uint32_t sw_keyq_failures(const struct sw_keyq *q, const char *key);

#endif
