/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - structured log lines, JSON or text, to standard error
 *
 *   sw_log(WARN, "kube", "watch ended", "cluster=%s error=\"%s\"", name, e.text);
 *
 * A line is: time, level, room, a constant message, then key=value fields. The
 * message is constant so that it can be searched for; what varies is a field.
 * Secrets never reach a log: pass tokens through sw_log_secret(), which prints
 * a short fingerprint, and never log a request body or an Authorization header.
 *
 * The sink is the one process-wide state in spillway: it is set once by main()
 * (sw_log_setup) before the loop starts, and only read afterwards.
 * Threads: any (one write(2) a line).
 */
#ifndef SPILLWAY_LOG_H
#define SPILLWAY_LOG_H

#include <stdbool.h>
#include "spillway/err.h"

enum sw_log_level { SW_LOG_DEBUG, SW_LOG_INFO, SW_LOG_WARN, SW_LOG_ERROR, SW_LOG_OFF };

void sw_log_setup(enum sw_log_level least, bool json, int fd);
/* "debug" | "info" | "warn" | "error" | "off" */
__attribute__((warn_unused_result)) struct sw_err sw_log_level_parse(const char *s, enum sw_log_level *out);
bool sw_log_on(enum sw_log_level level);

#define sw_log(level, room, msg, ...)                                                                                  \
	do {                                                                                                           \
		if (sw_log_on(SW_LOG_##level))                                                                         \
			sw_log_line(SW_LOG_##level, room, msg, "" __VA_ARGS__);                                        \
	} while (0)

__attribute__((format(printf, 4, 5))) void sw_log_line(enum sw_log_level level, const char *room, const char *msg,
						       const char *fmt, ...);

/* "sha256:1f3a9c02" of a secret, in buf (at least 16 bytes); returns buf. */
const char *sw_log_secret(const char *secret, char buf[16]);

#endif
