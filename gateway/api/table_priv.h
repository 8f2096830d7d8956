/* SPDX-License-Identifier: Apache-2.0 */
/* table_priv.h - the columns of each kind: which there are (table_columns.c) and how a table is written (table.c) */
#ifndef SPILLWAY_API_TABLE_PRIV_H
#define SPILLWAY_API_TABLE_PRIV_H

#include "spillway/table.h"

struct sw_column {
	const char *name, *type, *format;
	int priority;
};

/* Writes cells, comma separated JSON values, as many as there are columns. */
typedef void sw_cells_fn(struct sw_buf *b, json_t *o, int64_t now_ms);
struct sw_columns {
	const struct sw_column *at;
	size_t n;
	sw_cells_fn *cells;
};

extern const struct sw_columns sw_columns_generic, sw_columns_job, sw_columns_pod, sw_columns_event,
	sw_columns_namespace, sw_columns_configmap, sw_columns_secret, sw_columns_node, sw_columns_lease,
	sw_columns_training, sw_columns_workload, sw_columns_cluster_queue, sw_columns_local_queue,
	sw_columns_priority_class, sw_columns_node_pool;

#endif
