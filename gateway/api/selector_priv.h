/* SPDX-License-Identifier: Apache-2.0 */
/* selector_priv.h - a selector is a list of terms that must all hold */
#ifndef SPILLWAY_API_SELECTOR_PRIV_H
#define SPILLWAY_API_SELECTOR_PRIV_H

#include "spillway/selector.h"

enum term_op { TERM_IN, TERM_NOT_IN, TERM_EXISTS, TERM_ABSENT, TERM_GREATER, TERM_LESS };
struct term {
	char *key;
	enum term_op op;
	char **values;
	size_t n;
};
struct sw_selector {
	bool is_field;
	struct term *terms;
	size_t n;
};

struct sw_selector *selector_new(bool is_field);
/* The new term is lent; key is copied (n bytes). */
struct term *selector_add(struct sw_selector *s, const char *key, size_t n, enum term_op op);
void term_value(struct term *t, const char *value, size_t n);

#endif
