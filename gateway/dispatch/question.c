/* SPDX-License-Identifier: Apache-2.0 */
/* question.c - what the policy is asked about one workload */
#include "dispatch_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

/* Options that a policy may choose from, and where each came from. */
static size_t usable(const struct options *o, struct sw_candidate *out, uint16_t *from)
{
	size_t n = 0;
	for (size_t i = 0; i < o->n && n < SW_POLICY_CANDIDATES; i++)
		if (o->at[i].verdict == VERDICT_FITS || o->at[i].verdict == VERDICT_LATER) {
			from[n] = (uint16_t)i;
			out[n++] = o->at[i].c;
		}
	return n;
}

/* The job's own labels, as they stand in what was read of it. */
static size_t labels_read(const struct work *wk, struct sw_policy_label out[SW_POLICY_LABELS])
{
	json_t *labels = wk->job ? sw_json_at(wk->job, "metadata.labels") : NULL;
	size_t n = 0;
	if (!json_object_is_type(labels, json_type_object))
		return 0;
	json_object_object_foreach(labels, name, value)
	{
		if (n < SW_POLICY_LABELS && json_object_is_type(value, json_type_string))
			out[n++] = (struct sw_policy_label){name, json_object_get_string(value)};
	}
	return n;
}

/* What all bought nodes cost now. Where nothing can be bought there is nothing to know. */
static double committed(struct sw_dispatch *d)
{
	return d->burst ? sw_burst_committed(d->burst) : NAN;
}

void question_make(struct sw_dispatch *d, const struct work *wk, const struct sw_workload *row, const struct options *o,
		   struct question *q)
{
	int64_t wall = sw_loop_wall(d->opt.loop);
	q->c = sw_calloc(o->n + 1, sizeof *q->c);
	q->from = sw_calloc(o->n + 1, sizeof *q->from);
	q->in = (struct sw_policy_input){.key = row->key,
					 .job_name = row->job_name,
					 .ns = row->ns,
					 .queue = row->queue,
					 .kind = row->kind->kind,
					 .priority = row->priority,
					 .waited_ms = wall > row->created_ms ? wall - row->created_ms : 0,
					 .attempt = row->attempt,
					 .demand = wk->demand,
					 .candidates = q->c,
					 .n_candidates = usable(o, q->c, q->from),
					 .now_ms = wall,
					 .cluster_queue = row->cluster_queue,
					 .labels = q->labels,
					 .n_labels = labels_read(wk, q->labels),
					 .attempts = q->attempts,
					 .n_attempts = history_attempts(d, row->key, q->attempts),
					 .budget = spend_budget(d, row),
					 .committed_hour = committed(d),
					 .max_hour = d->opt.config->max_price_hour};
}

void question_free(struct question *q)
{
	free(q->c);
	free(q->from);
	*q = (struct question){0};
}
