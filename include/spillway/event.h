/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.h - a v1 Event as spillway writes it to an API server of somebody else's
 *
 * Pure: name and body. When it is sent, how often, and what becomes of it is the caller's business. (The embedded
 * manager's own events: sw_api_event().)
 */
#ifndef SPILLWAY_EVENT_H
#define SPILLWAY_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "spillway/buf.h"

enum { SW_EVENT_NAME = 300 };

/* The object that it is about. kind and api (apiVersion): as in its manifest. ns "": it has none. */
struct sw_event_about {
	char api[300], kind[64], ns[260], name[254], uid[37];
};

struct sw_kube_event { /* all lent */
	const struct sw_event_about *about;
	const char *name; /* of the Event */
	const char *reason, *message;
	const char *reporter; /* reportingComponent */
	bool warning;
	unsigned count;            /* how often it was said */
	int64_t first_ms, last_ms; /* Unix */
};

/* Where it stands: events about objects without a namespace in "default", as Kubernetes' own do. */
const char *sw_event_ns(const struct sw_event_about *about);
/* The object's name and something random: nobody else's Event has it. */
void sw_event_name(const struct sw_event_about *about, char out[SW_EVENT_NAME]);
/* The whole object, as a POST to .../events wants it. Appended to b. */
void sw_event_write(struct sw_buf *b, const struct sw_kube_event *e);

#endif
