/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - counters, gauges and histograms as Prometheus text
 *
 *   struct sw_metric *m = sw_metric(reg, SW_COUNTER, "spillway_placements_total",
 *                                   "Workloads placed, by cluster.", "cluster");
 *   sw_metric_add(m, 1, cluster);
 *
 * A metric has at most SW_METRIC_LABELS label names, comma separated; values are
 * given in that order. Series are made on first use, at most 10,000 per metric
 * (then counted under the value "other": a label must never fill the memory).
 * Format: https://prometheus.io/docs/instrumenting/exposition_formats/ 0.0.4
 * Threads: loop thread only.
 */
#ifndef SPILLWAY_METRICS_H
#define SPILLWAY_METRICS_H

#include "spillway/buf.h"
#include "spillway/err.h"

enum { SW_METRIC_LABELS = 4 };
enum sw_metric_type { SW_COUNTER, SW_GAUGE, SW_HISTOGRAM };

struct sw_metrics;
struct sw_metric;

__attribute__((warn_unused_result)) struct sw_err sw_metrics_new(struct sw_metrics **out);
void sw_metrics_free(struct sw_metrics *reg);

/* Finds or makes. Lent: lives as long as reg. label_names: "cluster,result" or "". reg
 * may be NULL: then NULL is returned, and every call below takes NULL and does nothing. */
struct sw_metric *sw_metric(struct sw_metrics *reg, enum sw_metric_type type, const char *name, const char *help,
			    const char *label_names);

/* One const char * per label name follows. */
void sw_metric_add(struct sw_metric *m, double by, ...);        /* counter, gauge */
void sw_metric_set(struct sw_metric *m, double value, ...);     /* gauge */
void sw_metric_observe(struct sw_metric *m, double value, ...); /* histogram, seconds */
void sw_metric_forget(struct sw_metric *m, ...);                /* what it was about is gone: no series any more */
double sw_metric_get(struct sw_metric *m, ...);                 /* tests, status pages */

void sw_metrics_text(struct sw_metrics *reg, struct sw_buf *out);

#endif
