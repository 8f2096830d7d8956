/* SPDX-License-Identifier: Apache-2.0 */
/* json_of.h - JSON that can be read in C */
#ifndef TESTS_JSON_OF_H
#define TESTS_JSON_OF_H

#include "spillway/json.h"

/* ' stands for ". What is no JSON fails the test. gives. */
json_t *json_of(const char *single_quoted);

#endif
