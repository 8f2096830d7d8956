/* SPDX-License-Identifier: Apache-2.0 */
/* candidates.h - what `explain` and `plan` both show of the gateway's answer x */
#ifndef SPILLWAY_CLI_CANDIDATES_H
#define SPILLWAY_CLI_CANDIDATES_H

#include "cli.h"

void print_line(const char *label, const char *value); /* nothing for NULL and "" */
void print_needs(json_t *x);
void print_policy(json_t *x);
void print_candidates(json_t *list);

#endif
