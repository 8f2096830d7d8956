/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - spillway.yaml: a table of settings, and the list of clusters
 *
 * Every scalar setting is one row of SW_SETTINGS in config/settings.c {path, type, bounds, default,
 * help}; the loader, `config print`, the example file and the reference text come from it.
 * Errors name file:line:column, what was found, what was expected, and the nearest known name.
 * Unknown settings are errors. The result is immutable.
 */
#ifndef SPILLWAY_CONFIG_H
#define SPILLWAY_CONFIG_H

#include <stdio.h>
#include "spillway/catalog.h"
#include "spillway/err.h"
#include "spillway/json.h"
#include "spillway/log.h"

/* Where jobs and quota live; see manager/README.md. */
enum sw_manager_role { SW_MANAGER_EMBEDDED, SW_MANAGER_MIRROR, SW_MANAGER_NOMINATE };
/* What happens to jobs of a lost worker; see dispatch/README.md. */
enum sw_lost { SW_LOST_HOLD, SW_LOST_DUPLICATE, SW_LOST_LEASE };
extern const char *const sw_lost_names[]; /* NULL-terminated */

struct sw_queue_cfg {     /* what differs for the jobs of one queue */
	const char *name; /* a ClusterQueue, or "namespace/name" of a LocalQueue */
	int lost;         /* enum sw_lost */
};

enum sw_on_error { SW_ON_ERROR_HOLD, SW_ON_ERROR_DEFAULT }; /* what decides while the policy fails */

struct sw_cluster_text { /* a kubeconfig that stands in no file */
	char *at;
	size_t len;
	uint64_t version; /* another number with other text */
};

struct sw_cluster_cfg {
	const char *name;                   /* DNS label */
	const char *provider;               /* "static", "sim" */
	const char *worker;                 /* "plain", or "kueue": its own Kueue decides when a job starts there */
	const char *kubeconfig, *context;   /* path; context NULL: current */
	const char *region;                 /* "" unknown */
	bool burst;                         /* pools may grow: costs money */
	json_t *options;                    /* the provider's own settings (its `options:` map), lent; may be NULL */
	const char *where;                  /* "file:line:column" of the entry, for later messages */
	const struct sw_cluster_text *text; /* lent; NULL: kubeconfig is a path */
};

struct sw_cluster_set { /* those that are wanted now: it changes while a gateway runs */
	const struct sw_cluster_cfg **at;
	size_t n;
};

struct sw_kind;

struct sw_budget_cfg {
	const char *queue; /* a ClusterQueue, or NAMESPACE/LOCALQUEUE */
	double limit;      /* USD on bought nodes in one window */
	int64_t window_ms;
};
struct sw_policy_cfg {
	const char *queue; /* a ClusterQueue, or NAMESPACE/LOCALQUEUE */
	const char *file;  /* path, or the name of a shipped policy */
	const char *where; /* "file:line:column" */
};

struct sw_config {
	const char *path; /* the file */
	const char *data_dir, *listen, *hosts;
	const char *clusters_dir; /* "" = none */
	int log_level;
	bool log_json;
	int manager_role; /* enum sw_manager_role */
	const char *manager_kubeconfig, *manager_context,
		*manager_check;                 /* "": our pod's; current; every one of ours */
	const char *manager_ns, *manager_lease; /* of our own objects there */
	bool manager_import;                    /* its MultiKueueClusters are our clusters too */
	int64_t manager_lease_ms;               /* how long a leader that is not heard of still leads */
	const char *policy;                     /* path of a Lua file; "" = the shipped policies/burst.lua */
	int64_t policy_instructions, policy_memory_bytes;
	int policy_on_error;                      /* enum sw_on_error */
	const char *decisions_file;               /* "": decisions.jsonl in data_dir */
	int64_t decisions_bytes, decisions_files; /* of one file, 0: none are kept; how many files */
	const char *origin;                       /* "" = made at first start and kept in data_dir */
	int64_t resync_ms;                        /* every workload is looked at again this often */
	int64_t heartbeat_ms;                     /* a silent API server is asked whether it is there; 0: never */
	int64_t lost_after_ms;                    /* a worker unreachable for longer than this is lost */
	int lost;                                 /* enum sw_lost */
	int64_t lease_ms, lease_margin_ms;        /* with SW_LOST_LEASE */
	int64_t hold_placed_ms;   /* a placed gang whose pods are not all scheduled within this is moved */
	int64_t idle_release_ms;  /* a burst node idle for longer than this is released */
	int64_t stockout_ms;      /* how long a stocked-out pool is avoided (doubles up to 8x) */
	double max_price_hour;    /* hard limit on all burst nodes together; 0: none may be bought */
	int64_t price_max_age_ms; /* older prices count as unknown */
	int64_t window;           /* requests in flight per cluster */
	int64_t log_tail_bytes;   /* kept per container at the end of a job */
	const struct sw_cluster_cfg *clusters;
	size_t n_clusters;
	const struct sw_policy_cfg *policies; /* of queues; the others have `policy` */
	size_t n_policies;
	const struct sw_queue_cfg *queues;
	size_t n_queues;
	const struct sw_budget_cfg *budgets;
	size_t n_budgets;
	const struct sw_catalog_site *catalog; /* what the site adds to it; NULL: nothing */
	const struct sw_kind *const *kinds;    /* declared by the site, built: sw_kinds_lend() */
	size_t n_kinds;
	json_t *companions; /* what may be sent to workers: config/companions.c; NULL: nothing */
	json_t *bootstrap;  /* array of objects created at start if absent (queues, flavors), or NULL */
};

/* gives. */
__attribute__((warn_unused_result)) struct sw_err sw_config_load(const char *path, struct sw_config **out);
__attribute__((warn_unused_result)) struct sw_err sw_config_parse(const char *name, const char *text, size_t len,
								  struct sw_config **out);
/* The mode of lost workers for the jobs of this LocalQueue, which leads to this ClusterQueue. */
enum sw_lost sw_config_lost(const struct sw_config *c, const char *ns, const char *queue, const char *cluster_queue);
void sw_config_free(struct sw_config *c);
/* Where clusters_dir is. gives; NULL if none is set. */
char *sw_clusters_dir_path(const struct sw_config *c);
/* The files of clusters_dir, sorted; none if the folder is not there. gives: an array ended by NULL, free all. */
__attribute__((warn_unused_result)) struct sw_err sw_clusters_dir(const struct sw_config *c, char ***out);
/* The cluster that one of them names. gives: sw_cluster_free(). */
__attribute__((warn_unused_result)) struct sw_err sw_cluster_read(const char *path, struct sw_cluster_cfg **out);
/* One with Kueue whose kubeconfig is this text; `where` names it in messages. gives likewise. */
struct sw_cluster_cfg *sw_cluster_of_text(const char *name, const char *where, const char *text, size_t len);
/* New credentials for it: whoever reads text->version notices. */
void sw_cluster_retext(struct sw_cluster_cfg *cl, const char *text, size_t len);
void sw_cluster_free(struct sw_cluster_cfg *cl);                                      /* NULL is fine */
bool sw_cluster_same(const struct sw_cluster_cfg *a, const struct sw_cluster_cfg *b); /* wherever they stand */
/* May this object (word: "secret" or "configmap") of the namespace be sent to workers with a job? */
bool sw_config_may_send(const struct sw_config *c, const char *ns, const char *word, const char *name);
/* Every setting with its value and origin ("default", "file.yaml:12"). */
void sw_config_print(const struct sw_config *c, FILE *to, bool json);
/* The commented example file with defaults. */
void sw_config_example(FILE *to);

#endif
