/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - the table of scalar settings: one row says everything about one
 */
#ifndef SPILLWAY_CONFIG_SETTINGS_H
#define SPILLWAY_CONFIG_SETTINGS_H

#include "spillway/config.h"

enum setting_type {
	SETTING_TEXT,     /* const char * */
	SETTING_CHOICE,   /* int: index into choices */
	SETTING_FLAG,     /* bool: choices "false", "true" */
	SETTING_WHOLE,    /* int64_t */
	SETTING_DURATION, /* int64_t ms, written "10m" */
	SETTING_BYTES,    /* int64_t, written "8Mi" */
	SETTING_MONEY,    /* double, USD */
};

struct setting {
	const char *path; /* "dispatch.resync" */
	enum setting_type type;
	size_t offset; /* in struct sw_config */
	double min, max;
	const char *def; /* as it would be written */
	const char *const *choices;
	const char *help;
};

extern const struct setting sw_settings[];
extern const size_t sw_n_settings;

/* Checks `value` (NULL: null) against the row and stores it. where: "file:line:column". Texts are given to c. */
__attribute__((warn_unused_result)) struct sw_err sw_setting_set(struct sw_config *c, const struct setting *row,
								 json_t *value, const char *where);
/* The present value as it would be written, in buf. */
const char *sw_setting_text(const struct sw_config *c, const struct setting *row, char *buf, size_t size);

#endif
