/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster.h - a worker cluster without network: objects in memory behind the functions of kube.h
 *
 * sw_kube_* and sw_reflector_* are defined in cluster.c and take the place of the kube room's when this test program is
 * linked. The server keeps objects by path, gives uids and resourceVersions, honours the preconditions the workers room
 * relies on, and fails as told: a reply lost after the write, a call lost before it, a status, everything out of reach.
 * Answers come when the test turns the world; time passes only then.
 */
#ifndef SPILLWAY_TESTS_WORKERS_CLUSTER_H
#define SPILLWAY_TESTS_WORKERS_CLUSTER_H

#include "../../../gateway/workers/workers_priv.h"

enum fault { LOSE_REPLY = 1, LOSE_CALL, ANSWER_403, ANSWER_500 };

struct cluster {
	struct sw_loop *loop;
	struct sw_workers *ws;
	struct sw_worker *w;
	struct sw_config config;
	struct sw_cluster_cfg cfg;
	struct sw_catalog *catalog;
	/* the server */
	json_t *objects; /* path -> object */
	uint64_t rv;
	int uids;
	bool down; /* out of reach */
	bool no_kubeflow, no_kueue;
	bool watch_slow; /* watches hear nothing of requests' changes while this is set */
	enum fault fault;
	char fault_at[64]; /* once, for a request whose "METHOD path" holds this */
	int requests;
	char log[4000]; /* "METHOD path" lines of writes */
	/* the manager */
	struct sw_manager manager;
	json_t *notes;
	json_t *workloads; /* key -> anything: known there */
	/* what was heard */
	int changes, work_changes, pods;
	bool told_unseen; /* when last told of a copy, it could not be seen */
	int done;
	struct sw_err last; /* of the calls given cluster_done */
};

struct cluster *cluster_new(void);
void cluster_free(struct cluster *c);
void cluster_open(struct cluster *c); /* opens the workers room and lets it settle */
void cluster_close(struct cluster *c);
void cluster_turn(struct cluster *c, unsigned ms);
void cluster_down(struct cluster *c, bool down);
void cluster_done(void *owner, struct sw_err err); /* a sw_worker_fn */

/* The server's truth, by path. put: creates or replaces, and every watch hears it. */
json_t *cluster_get(struct cluster *c, const char *path);
void cluster_put(struct cluster *c, const char *path, json_t *object_taken);
void cluster_delete(struct cluster *c, const char *path);
size_t cluster_count(struct cluster *c, const char *part); /* objects whose path holds this */
bool cluster_logged(const struct cluster *c, const char *text);

void cluster_node(struct cluster *c, const char *name, const char *gpu, int gpus, int cpus);
/* A pod of cpus and gpus on a node (NULL: none). work: workload key, or NULL for a foreign pod. */
void cluster_pod(struct cluster *c, const char *name, const char *node, int cpus, int gpus, const char *work,
		 const char *owner_uid, unsigned attempt);
json_t *cluster_job(const char *ns, const char *name, int pods, int gpus); /* gives */

#endif
