/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h - what `spillway doctor` is made of: facts, and checks over them
 *
 * ask.c gathers facts: one GET (or access review) each, all clusters at once. A check is a function over the facts of
 * one cluster, or of all; it does no I/O, so that a test can hand it any cluster. It says what it found with
 * doctor_say(), and the command that mends it.
 */
#ifndef SPILLWAY_CLI_DOCTOR_H
#define SPILLWAY_CLI_DOCTOR_H

#include "spillway/json.h"
#include "spillway/kinds.h"
#include "spillway/kube.h"

/* What a cluster is to the gateway: checks and questions name the scopes that they are for. */
enum doctor_scope {
	DOCTOR_MIRROR = 1,
	DOCTOR_NOMINATE = 2,
	DOCTOR_PLAIN = 4,
	DOCTOR_KUEUE = 8,
	DOCTOR_SEEN = 16,  /* a worker of the nominate role: looked at only */
	DOCTOR_IMPORT = 32 /* of manifests: the manager's MultiKueueClusters are ours too */
};
#define DOCTOR_MANAGER (DOCTOR_MIRROR | DOCTOR_NOMINATE)
#define DOCTOR_OURS    (DOCTOR_PLAIN | DOCTOR_KUEUE) /* workers that jobs are created on */
#define DOCTOR_WORKER  (DOCTOR_OURS | DOCTOR_SEEN)
#define DOCTOR_ANY     (DOCTOR_MANAGER | DOCTOR_WORKER)

#define DOCTOR_CONTROLLER "spillway.dev/dispatch"
#define DOCTOR_MULTIKUEUE "kueue.x-k8s.io/multikueue" /* Kueue's check, and what managedBy says in both roles */

#define DOCTOR_DISPATCHER "spillway.dev/dispatcher" /* multiKueue.dispatcherName of the nominate role */

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_fact {
	char *id;          /* "version", "list localqueues", "jobs of jobs.batch" */
	struct sw_err err; /* of the request */
	json_t *body;      /* NULL on error */
};

/* One right that a shipped manifest lists. "" where a part is absent. */
struct doctor_right {
	char *ns, *group, *resource, *sub, *verb, *name;
	bool companion; /* for what jobs of the namespace bring along */
	enum { DOCTOR_UNKNOWN, DOCTOR_MAY, DOCTOR_MAY_NOT } answer;
};

struct doctor_credential {
	const char *what;   /* "token", "client certificate"; NULL: none that ends */
	int64_t expires_ms; /* Unix ms */
	bool renews;        /* a plugin or a file gives the next one */
};

struct doctor_cluster {
	const char *name; /* "manager" or the worker's; lent */
	unsigned scope;   /* one of enum doctor_scope */
	bool imports;     /* a manager with manager.import_multikueue */
	struct doctor_fact *facts;
	size_t n_facts;
	struct doctor_right *rights;
	size_t n_rights;
	struct doctor_credential credential;
	int64_t ahead_ms; /* the server's clock minus ours */
	bool told_time;
	struct sw_err unreachable; /* the kubeconfig could not be read, or no answer came */
};

struct doctor_site {
	struct doctor_cluster *clusters; /* the manager first, if there is one */
	size_t n_clusters;
	const char *origin; /* from the configuration; "" if it is made at first start */
	int64_t now_ms;
	json_t *findings; /* array of {level, cluster, check, found, mend} */
};

struct sw_config;
struct doctor_check {
	const char *name;
	unsigned scope;
	void (*run)(struct doctor_site *s, struct doctor_cluster *c);
};

/* ---- facts ---------------------------------------------------------------------------- */

void doctor_cluster_fini(struct doctor_cluster *c);
/* body is taken. For ask.c and tests. */
void doctor_fact_add(struct doctor_cluster *c, const char *id, struct sw_err err, json_t *body_taken);
const struct doctor_fact *doctor_fact(const struct doctor_cluster *c, const char *id); /* NULL: was not asked */
json_t *doctor_body(const struct doctor_cluster *c, const char *id);                   /* NULL: no answer. Lent */
json_t *doctor_items(const struct doctor_cluster *c, const char *id); /* .items of a list; NULL: no answer */
json_t *doctor_item(const struct doctor_cluster *c, const char *id, const char *name); /* of such a list; NULL: none */
/* Adds a finding of the check that runs now. mend: a command or a line of configuration, taken; NULL: none. */
__attribute__((format(printf, 6, 7))) void doctor_say(struct doctor_site *s, const struct doctor_cluster *c,
						      enum doctor_level level, const char *check, char *mend_taken,
						      const char *fmt, ...);
struct doctor_cluster *doctor_manager(struct doctor_site *s); /* NULL: the embedded one */

/* The rights that the manifests for this scope list (the program carries them). */
__attribute__((warn_unused_result)) struct sw_err doctor_rights_read(struct doctor_cluster *c);
/* Those that the setting companions asks for, namespace by namespace. */
__attribute__((warn_unused_result)) struct sw_err doctor_companion_rights(struct doctor_cluster *c,
									  const struct sw_config *config);
json_t *doctor_right_review(const struct doctor_right *r); /* gives a SelfSubjectAccessReview */

/* When the token or certificate that goes with requests ends. authorization: of the header, may be NULL. */
struct doctor_credential doctor_credential_read(const char *authorization, const char *cert_pem);

/* ---- what facts say ---------------------------------------------------------------------- */

bool doctor_serves(const struct doctor_cluster *c, const char *group, const char *version);
bool doctor_serves_kind(const struct doctor_cluster *c, const struct sw_kind *k);
/* A value of Kueue's own configuration ("multiKueue.origin"), "" if unset; NULL if it could not be read. gives. */
char *doctor_kueue_setting(const struct doctor_cluster *c, const char *dotted);
bool doctor_queue_is_ours(const struct doctor_cluster *manager, const char *cluster_queue); /* it names our check */
bool doctor_queue_is_multikueue(const struct doctor_cluster *manager, const char *cluster_queue);
/* The ClusterQueue behind a LocalQueue; NULL if that does not exist. Lent. */
const char *doctor_cluster_queue_of(const struct doctor_cluster *c, const char *ns, const char *local_queue);

/* ---- running -------------------------------------------------------------------------------- */

extern const struct doctor_check doctor_checks[]; /* ends with a NULL name */
void doctor_check_all(struct doctor_site *s);
/* Asks everything, of all clusters at once; returns when all have answered or failed. kcs[i]: of clusters[i], taken;
 * NULL where it could not be read (then .unreachable says why). */
void doctor_ask_all(struct sw_loop *loop, struct sw_http *http, struct doctor_site *s,
		    struct sw_kubeconfig **kcs_taken);

/* The rows of doctor_checks, by file. */
void doctor_check_reach(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_clock(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_credential(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_rights(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_kinds(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_kueue_api(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_kueue_version(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_admission_check(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_policy(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_nomination(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_origin(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_queues(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_jobs(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_claim(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_others(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_worker_queues(struct doctor_site *s, struct doctor_cluster *c);
void doctor_check_nodes(struct doctor_site *s, struct doctor_cluster *c);

#endif
