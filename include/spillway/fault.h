/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.h - places where a test may kill the process or lose a reply
 *
 * Every durable or remote write passes one: "store.commit.before", "store.commit.after",
 * "file.write.before", "file.write.after", "kube.send", "kube.reply". In the shipped binary sw_fault_point() is a
 * function that returns false; tests/faults/fault.c replaces it (it is a weak symbol) in the binary that the crash
 * scenarios run, and there SPILLWAY_FAULT says which one, at which count, does what.
 */
#ifndef SPILLWAY_FAULT_H
#define SPILLWAY_FAULT_H

#include <stdbool.h>

/* detail: "POST /apis/...", or "". True: the caller behaves as if the reply had been lost. */
bool sw_fault_point(const char *where, const char *detail);

#endif
