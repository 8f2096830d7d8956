/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nominate_priv.h - what the files of this room share
 */
#ifndef SPILLWAY_NOMINATE_PRIV_H
#define SPILLWAY_NOMINATE_PRIV_H

#include <uthash.h>
#include "rounds.h"
#include "spillway/keyq.h"
#include "spillway/kube.h"
#include "spillway/nominate.h"
#include "write.h"

enum feed_id { FEED_CHECKS, FEED_CONFIGS, FEED_CLUSTERS, FEED_WORKLOADS, FEEDS };

struct feed {
	struct sw_nominate *n;
	struct sw_reflector *reflector;
	bool synced;
	char why[160];
};

/* An AdmissionCheck, MultiKueueConfig or MultiKueueCluster, whole: there are few. */
struct thing {
	UT_hash_handle hh;
	char *name;
	json_t *o;
};

/* A Workload. Only those with quota and without a place keep their object. */
struct row {
	UT_hash_handle hh;
	char *key;        /* "ns/name" */
	json_t *o;        /* NULL: nothing to do for it */
	int64_t began_ms; /* Unix: our own last write in this process; 0: see the object */
	int64_t until_ms; /* Unix: when it is looked at again */
	bool writing;
	uint64_t said, recorded; /* hashes of the last event and of the last decision: each once */
	char why[256];           /* what it waits for */
};

struct write; /* under way: op.c */

struct sw_nominate {
	struct sw_nominate_options opt;
	struct sw_kube *kube; /* the manager */
	char *kubeconfig;
	uint64_t kubeconfig_stamp;
	struct sw_timer *file_timer;
	struct sw_workers *workers; /* looked at only; may be none */
	struct feed feeds[FEEDS];
	struct thing *things[FEED_WORKLOADS]; /* by feed */
	struct row *rows;
	struct sw_reconciler *queue;
	struct sw_timer *timer; /* opens feeds, asks for the policy again */
	struct sw_kube_call *probe;
	unsigned probing;   /* 0: the policy, 1: its binding */
	bool probed, found; /* the policy that clears nominations: asked for, there */
	struct write *writes;
	struct saying *sayings; /* events under way: say.c */
};

/* client.c */
__attribute__((warn_unused_result)) struct sw_err nom_client_open(struct sw_nominate *n);
void nom_client_close(struct sw_nominate *n);

/* feeds.c */
struct sw_err nom_feeds_open(struct sw_nominate *n);
void nom_feeds_close(struct sw_nominate *n);
bool nom_feeds_synced(const struct sw_nominate *n, const char **why);
json_t *nom_thing_get(const struct sw_nominate *n, enum feed_id kind, const char *name); /* lent or NULL */

/* row.c */
void nom_row_apply(struct sw_nominate *n, const char *key, json_t *object /* NULL: gone */);
struct row *nom_row_find(const struct sw_nominate *n, const char *key);
void nom_rows_free(struct sw_nominate *n);
void nom_rows_kick(struct sw_nominate *n); /* all that wait are looked at again */
/* The MultiKueue check of this Workload that is Pending while all others are Ready; NULL: it is not (yet) our turn. */
const char *nom_row_check(const struct sw_nominate *n, json_t *workload);
size_t nom_row_nominated(json_t *workload, const char *names[NOMINATED_MAX]);

/* ask.c: the policy's plan for one workload. What it lends lives until nom_question_fini(). */
struct question {
	struct sw_policy_input in;
	struct sw_demand demand;
	struct sw_candidate *c;
	size_t n, size;
	json_t *holder; /* of the wishes */
	struct round_plan plan;
	char reason[SW_POLICY_REASON];
};
/* recorded: of the row, so that a decision is recorded once; NULL: only looked at. */
__attribute__((warn_unused_result)) struct sw_err
nom_question_ask(struct sw_nominate *n, json_t *workload, const char *check, uint64_t *recorded, struct question *q);
struct sw_policy *nom_policy_for(const struct sw_nominate *n, const struct question *q);
void nom_question_fini(struct question *q);

/* say.c: an event on the job, once */
void nom_say(struct sw_nominate *n, struct row *r, bool warning, const char *reason, const char *text);
void nom_sayings_cancel(struct sw_nominate *n);

/* op.c */
enum sw_nominate_way nom_way_of(const struct sw_nominate *n, json_t *workload);
__attribute__((warn_unused_result)) struct sw_err
nom_write_start(struct sw_nominate *n, struct row *r, const char *const *names, size_t count, int64_t wait_ms);
void nom_writes_cancel(struct sw_nominate *n);
/* The policy that clears nominations is looked for, now and every few minutes. */
void nom_probe_kick(struct sw_nominate *n);

#endif
