/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - the text of an Event */
#include "spillway/event.h"

#include <inttypes.h>
#include <stdio.h>
#include "spillway/text.h"

const char *sw_event_ns(const struct sw_event_about *about)
{
	return *about->ns ? about->ns : "default";
}

void sw_event_name(const struct sw_event_about *about, char out[SW_EVENT_NAME])
{
	uint64_t random;

	sw_random(&random, sizeof(random));
	snprintf(out, SW_EVENT_NAME, "%.230s.%016" PRIx64, about->name, random);
}

static void member(struct sw_buf *b, const char *before, const char *value)
{
	sw_buf_puts(b, before);
	sw_buf_json_str(b, value);
}

void sw_event_write(struct sw_buf *b, const struct sw_kube_event *e)
{
	const struct sw_event_about *a = e->about;
	char first[32], last[32];

	sw_time_text(e->first_ms, first);
	sw_time_text(e->last_ms, last);
	member(b, "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":", e->name);
	member(b, ",\"namespace\":", sw_event_ns(a));
	member(b, "},\"involvedObject\":{\"apiVersion\":", a->api);
	member(b, ",\"kind\":", a->kind);
	if (*a->ns)
		member(b, ",\"namespace\":", a->ns);
	member(b, ",\"name\":", a->name);
	member(b, ",\"uid\":", a->uid);
	member(b, "},\"reason\":", e->reason);
	member(b, ",\"message\":", e->message);
	member(b, ",\"source\":{\"component\":\"spillway\"},\"reportingInstance\":\"spillway\",\"reportingComponent\":",
	       e->reporter);
	sw_buf_printf(b, ",\"type\":\"%s\",\"firstTimestamp\":\"%s\",\"lastTimestamp\":\"%s\",\"count\":%u}",
		      e->warning ? "Warning" : "Normal", first, last, e->count);
}
