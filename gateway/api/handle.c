/* SPDX-License-Identifier: Apache-2.0 */
/* handle.c - from a route that was let in to the function that answers, and selectors of lists and watches */
#include "api_priv.h"

#include <string.h>

/* ---- selectors --------------------------------------------------------------------- */

json_t *selectors_parse(struct request *q, struct selectors *out)
{
	*out = (struct selectors){.ns = *q->route.ns ? q->route.ns : NULL};
	json_t *no = sw_label_selector_parse(request_query(q, "labelSelector"), &out->labels);
	if (!no)
		no = sw_field_selector_parse(q->route.r, request_query(q, "fieldSelector"), &out->fields);
	if (no)
		selectors_free(out);
	return no;
}

void selectors_free(struct selectors *s)
{
	sw_selector_free(s->labels);
	sw_selector_free(s->fields);
	s->labels = s->fields = NULL;
}

bool selectors_any(const struct selectors *s)
{
	return s->labels || s->fields;
}

bool selectors_match(const struct selectors *s, json_t *o)
{
	return sw_selector_match(s->labels, o) && sw_selector_match(s->fields, o);
}

/* ---- dispatch ------------------------------------------------------------------------ */

static void handle_objects(struct request *q)
{
	switch (q->verb) {
	case VERB_GET:
		if (strcmp(q->route.sub, "log") == 0)
			handle_log(q);
		else
			handle_get(q);
		break;
	case VERB_LIST:
		handle_list(q);
		break;
	case VERB_WATCH:
		handle_watch(q);
		break;
	case VERB_CREATE:
		if (q->route.r->flags & SW_RES_REVIEW)
			handle_review(q);
		else
			handle_write(q);
		break;
	case VERB_DELCOLL:
		handle_delete_collection(q);
		break;
	default:
		handle_write(q);
	}
}

void handle_request(struct request *q)
{
	if (q->route.kind != ROUTE_OBJECTS) {
		handle_info(q);
		return;
	}
	json_t *no = shape_parse(q, &q->shape);
	if (no)
		reply_status(q, no);
	else
		handle_objects(q);
}
