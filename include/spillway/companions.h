/* SPDX-License-Identifier: Apache-2.0 */
/*
 * companions.h - Secrets and ConfigMaps that are sent along with a job
 *
 * A user names them on the job, spillway.dev/companions: "secret/pull, configmap/params"; the configuration says per
 * namespace which may leave the manager (config.h, companions). They are created on the cluster that the job won, owned
 * by the copy there, so that the cluster's own garbage collection removes them with it. What is there already and is
 * not ours is used as it is and never changed.
 */
#ifndef SPILLWAY_COMPANIONS_H
#define SPILLWAY_COMPANIONS_H

#include "spillway/needs.h"

enum { SW_COMPANIONS_MAX = 16 };
struct sw_companions {
	struct sw_companion {
		enum sw_need_kind kind; /* SW_NEED_SECRET or SW_NEED_CONFIG_MAP */
		char name[254];
	} at[SW_COMPANIONS_MAX];
	size_t n;
};
/* INVALID says what was found and what was expected; out is empty then. */
__attribute__((warn_unused_result)) struct sw_err sw_companions_parse(const char *text, struct sw_companions *out);
/* The same for the annotation of a job. INVALID names the annotation, what was found and what was expected; out is
 * empty then. */
__attribute__((warn_unused_result)) struct sw_err sw_companions_read(json_t *job, struct sw_companions *out);
/* "secret" or "configmap": the word in annotations and in the configuration. */
const char *sw_companion_word(enum sw_need_kind kind);

#endif
