/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds.h - one row per job kind, and what a job asks for
 *
 * Everything dispatch and the managers know about a kind is in its row. To add a kind: one
 * file in gateway/kinds/ and one line in SW_KIND_MAP; gateway/kinds/README.md shows how.
 * All functions are pure over untyped JSON and keep fields they do not know.
 */
#ifndef SPILLWAY_KINDS_H
#define SPILLWAY_KINDS_H

#include "spillway/catalog.h"
#include "spillway/err.h"
#include "spillway/json.h"

enum { SW_PODSETS_MAX = 18 /* Workload.spec.podSets, Kueue v1beta2 */, SW_MODELS_MAX = 16 };

/* labels and annotations: names used on manager and workers */
#define SW_LABEL_QUEUE    "kueue.x-k8s.io/queue-name"
#define SW_LABEL_PRIORITY "kueue.x-k8s.io/priority-class"
#define SW_LABEL_JOB_UID  "kueue.x-k8s.io/job-uid"
#define SW_LABEL_ORIGIN   "spillway.dev/origin" /* installation id, on every remote object and pod */
#define SW_LABEL_WORKLOAD                                                                                              \
	"spillway.dev/workload" /* Workload's name when it is a label value, else its hash; on copies and pods */
#define SW_LABEL_JOB                                                                                                   \
	"spillway.dev/job" /* the job's name, on pods of copies whose own controller puts no label with it there */
#define SW_ANN_WORKLOAD   "spillway.dev/workload-key" /* "ns/name" of the manager's Workload */
#define SW_ANN_OWNER_UID  "spillway.dev/owner-uid"    /* UID of the manager's job */
#define SW_ANN_ATTEMPT    "spillway.dev/attempt"
#define SW_ANN_POOL       "spillway.dev/pool"
#define SW_ANN_GPU        "spillway.dev/gpu"
#define SW_ANN_GPU_MEMORY "spillway.dev/gpu-memory"
#define SW_ANN_PRECISION  "spillway.dev/precision"
#define SW_ANN_SPOT       "spillway.dev/spot"
#define SW_ANN_MAX_PRICE  "spillway.dev/max-price"
#define SW_ANN_DEADLINE   "spillway.dev/deadline"
#define SW_ANN_DATA       "spillway.dev/data"
#define SW_ANN_COMPANIONS "spillway.dev/companions" /* "secret/NAME, configmap/NAME": sent along with the job */
#define SW_ANN_PRIORITY   "spillway.dev/priority"   /* on an offer: the class and number that it was last given */
#define SW_ANN_LEASE      "spillway.dev/lease"      /* on a copy: seconds that each renewal of its deadline gives it */
#define SW_ANN_LEASE_OWN  "spillway.dev/lease-own"  /* and the deadline that its user had set, if any */
#define SW_ANN_STOPPED    "spillway.dev/stopped"    /* "true" on the manager's job: its user suspended it */
#define SW_TAINT_BURST    "spillway.dev/burst"      /* on burst pools; only translated jobs tolerate it */

enum sw_outcome { SW_UNFINISHED, SW_SUCCEEDED, SW_JOB_FAILED };

struct sw_podset {
	char name[64];                   /* "main"; "master", "worker" */
	int32_t count;                   /* pods that must run together */
	json_t *template;                /* the PodTemplateSpec inside the object it was read from: lent */
	char path[144];                  /* where that is: "spec.template" */
	int64_t cpu_milli, memory_bytes; /* per pod: effective requests (max of init containers and sum of containers,
					    plus overhead) */
	int64_t gpus;                    /* per pod */
	const char *gpu_resource;        /* "nvidia.com/gpu", or NULL without GPU: static or lent from the template */
};

/*
 * What one pod asks a node for, as the scheduler counts it: the larger of (containers + sidecars) and each init
 * container with the sidecars before it, plus overhead; a limit without a request counts as the request; requests of
 * the whole pod (spec.resources) win. Source: k8s.io/component-helpers/resource/helpers.go, PodRequests.
 */
struct sw_requests {
	int64_t cpu_milli, memory_bytes, gpus;
	const char *gpu_resource; /* sw_is_gpu_resource(): lent from the object; NULL without GPU */
};
/* spec: of a pod or template, lent, may be NULL. path: of spec, for messages ("spec.template.spec"). INVALID names the
 * path of a quantity that is malformed, negative or too large, and of a second kind of GPU. */
__attribute__((warn_unused_result)) struct sw_err sw_pod_requests(json_t *spec, const char *path,
								  struct sw_requests *out);

/*
 * One kind. Every function is given its own row, so that kinds of one family share functions, and a kind declared in
 * the configuration is a row like any other.
 */
struct sw_kind {
	const char *group, *version, *kind, *plural;
	const char *resource;       /* names the row: "jobs.batch"; a second version of a kind has its version in it, as
				       kubectl writes it: "mpijobs.v2beta1.kubeflow.org" */
	const char *job_name_label; /* on its pods: "batch.kubernetes.io/job-name", or SW_LABEL_JOB */
	const char *suspend_path;   /* "spec.suspend", "spec.runPolicy.suspend" */
	const char *managed_by_path; /* "spec.managedBy" */
	const char *ttl_path;        /* "spec.ttlSecondsAfterFinished"; NULL: the kind has none */
	/* The object names no pods of its own (a TrainJob names a runtime): podsets() finds none in a user's object,
	 * only the Workload's spec.podSets say what it asks for. */
	bool sets_from_workload;
	/* Kueue knows its containers in part only, without their environment. */
	bool containers_in_part;
	const void *own; /* of the row's functions */
	/* Name, count, template and path of each set; what they ask for is sw_demand_read()'s. Lenient. */
	size_t (*podsets)(const struct sw_kind *k, json_t *job, struct sw_podset out[SW_PODSETS_MAX]);
	/* What podsets() would pass over (an unknown replica type, a bad count) is refused here, with its path. */
	struct sw_err (*check)(const struct sw_kind *k, json_t *job);
	enum sw_outcome (*outcome)(const struct sw_kind *k, json_t *job, const char **why /* lent reason or "" */);
	/* Pods that run or may run; 0 is needed before another attempt. 0 only if the job is finished, or suspended and
	 * its controller says so (condition Suspended), and no pod is counted any more. */
	int64_t (*active)(const struct sw_kind *k, json_t *job);
	/* Changes a status of the manager's job so that Kueue reads "nothing is active" (its IsActive), which is what
	 * it waits for before it gives the quota of an evicted Workload back: a worker that is lost never says it.
	 * Legal for the API server; counters that may not fall stay. status: an object, may be empty. */
	void (*idle)(const struct sw_kind *k, json_t *status);
	/* Removes from a private deep copy what belongs to the other cluster (selector, controller-uid labels, ...). */
	void (*prepare)(const struct sw_kind *k, json_t *copy);
	/* Optional. Makes room in a private copy for templates that the Workload has and the object does not spell out
	 * (a RayJob's submitter): afterwards podsets() finds as many as `podsets` has. Before sw_kind_fill() compares.
	 */
	void (*make_room)(const struct sw_kind *k, json_t *copy, json_t *podsets);
	/* Optional. What Kueue added to a Workload's template beside what the object says (a sidecar that the operator
	 * adds again) is taken out of the template that sw_kind_fill() is about to put into the copy. */
	void (*trim)(const struct sw_kind *k, json_t *copy, const char *set, json_t *template);
	/* local status := remote status, made legal for the manager: counters monotone over attempts. base: local
	 * status as it was when this attempt began, or NULL. gives the new status. */
	json_t *(*status_home)(const struct sw_kind *k, json_t *local_status, json_t *remote_status, json_t *base);
};

/* clang-format off */
#define SW_KIND_MAP(X) \
	X(job) X(pytorch) X(tf) X(paddle) X(xgboost) X(jax) X(mpi) X(mpi_v2beta1) X(jobset) X(trainjob) X(rayjob) \
	X(raycluster) X(appwrapper)
/* clang-format on */
#define X(id) extern const struct sw_kind sw_kind_##id;
SW_KIND_MAP(X)
#undef X

const struct sw_kind *sw_kind_of(json_t *object);         /* by apiVersion and kind; NULL if none */
const struct sw_kind *sw_kind_find(const char *resource); /* "jobs.batch" */
const struct sw_kind *
sw_kind_named(const char *word);            /* what a user types: "job", "jobs", "PyTorchJob", "pytorchjobs" */
const struct sw_kind *sw_kind_at(size_t i); /* NULL past the end */

const struct sw_kind *sw_kind_built_in(size_t i); /* the same without what a site declares */

/* ---- kinds that a site declares ------------------------------------------- */

enum { SW_KINDS_DECLARED_MAX = 16 };

/* Where a declaration is wrong: the value parent[key], or parent itself. Lent from the declaration. */
struct sw_kind_fault {
	json_t *parent;
	const char *key;
};
/*
 * Makes a row of a declaration (docs: gateway/kinds/README.md), strictly. earlier: rows declared before it, which it
 * must not repeat. gives; the declaration may go. INVALID: what was found, expected, and at: where.
 */
__attribute__((warn_unused_result)) struct sw_err sw_kind_declare(json_t *declaration,
								  const struct sw_kind *const *earlier, size_t n,
								  struct sw_kind **out, struct sw_kind_fault *at);
void sw_kind_free(struct sw_kind *k); /* one that sw_kind_declare() gave */
/*
 * From here on the look-ups know these rows too, after the built-in ones. They are lent until the next call, with n 0
 * at the latest before they are freed. Once per process, before anything is looked up by index: tables elsewhere are
 * laid out by it. This is the one variable that the project shares between rooms: kinds are looked up in some twenty
 * places, down to the readers of single objects, all of which would have to be handed a table that never changes.
 */
void sw_kinds_lend(const struct sw_kind *const *rows, size_t n);

bool sw_kind_suspended(const struct sw_kind *k, json_t *job);
void sw_kind_suspend(const struct sw_kind *k, json_t *job, bool on);
const char *sw_kind_managed_by(const struct sw_kind *k, json_t *job); /* NULL if unset */
int64_t sw_kind_ttl_s(const struct sw_kind *k, json_t *job);          /* ttlSecondsAfterFinished; -1: none */
/* A label value for a Workload's name: the name itself if it may be one, else a hash of it. buf at least 64 bytes. */
const char *sw_workload_label(const char *workload_name, char buf[64]);
/* The WorkloadPriorityClass of a Workload; NULL if it has none, or a class of pods, which never changes. */
const char *sw_workload_priority_class(json_t *workload);

/* ---- what one pod asks for ------------------------------------------------- */

enum { SW_AMOUNTS_MAX = 16 };
struct sw_amount {
	const char *resource;
	int64_t milli;
}; /* resource: lent from the object */
struct sw_amounts {
	struct sw_amount at[SW_AMOUNTS_MAX];
	size_t n;
};

/*
 * As sw_pod_requests(), for every resource by name. strict, as a user may ask: zero and fractions of a device are
 * refused too. INVALID also for more than SW_AMOUNTS_MAX resources, and sums over 2^53.
 */
__attribute__((warn_unused_result)) struct sw_err sw_pod_amounts(json_t *spec, const char *path, bool strict,
								 struct sw_amounts *out);
/* The one GPU resource among them; NULL and 0 if none; INVALID if there are two. */
__attribute__((warn_unused_result)) struct sw_err sw_gpu_amount(const struct sw_amounts *a, const char *path,
								const char **resource, int64_t *gpus);
int64_t sw_amounts_get(const struct sw_amounts *a, const char *resource); /* 0 if absent */
/* into += times * from. INVALID when it overflows or has no room. */
__attribute__((warn_unused_result)) struct sw_err sw_amounts_add(struct sw_amounts *into, const struct sw_amounts *from,
								 int64_t times);
bool sw_is_gpu_resource(const char *resource); /* "nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "google.com/tpu", ... */
bool sw_is_mig_resource(const char *resource); /* "nvidia.com/mig-1g.5gb" */
/* May a request for `from` ever be served by nodes that count this device (NULL: any) as `resource`? By names alone;
 * whether this job's may, sw_demand_refuses() says. */
bool sw_resource_portable(const char *from, const struct sw_gpu *gpu, const char *resource);

/* ---- what a job asks for --------------------------------------------------- */

enum sw_spot { SW_SPOT_ALLOW, SW_SPOT_NEVER, SW_SPOT_REQUIRE };

/* Where a job's data is: "s3://bucket/path@region:500Gi". */
struct sw_data {
	const char *scheme;   /* "s3"; "" without data */
	const char *provider; /* whose storage that scheme is: "gcp", "azure", or "" where many speak it */
	char bucket[256], region[64];
	int64_t bytes; /* above 0 */
};
/* Strict: every part must be there. INVALID says which is not; *out is empty then. */
__attribute__((warn_unused_result)) struct sw_err sw_data_read(const char *text, struct sw_data *out);

struct sw_demand {
	struct sw_podset sets[SW_PODSETS_MAX];
	size_t n_sets;
	struct sw_amounts total;                    /* over all pods, "pods" included (in thousandths, like the rest) */
	int64_t gpus;                               /* in all */
	const struct sw_gpu *models[SW_MODELS_MAX]; /* acceptable, best first; n_models 0: any that fits */
	size_t n_models;
	int64_t gpu_memory_bytes; /* 0: no wish */
	bool has_precision;
	enum sw_precision precision;
	enum sw_spot spot;    /* default NEVER: spot only where somebody said it may be */
	double max_price;     /* USD per hour for the whole job; INFINITY: none */
	int64_t deadline_ms;  /* 0: none */
	const char *data;     /* lent from the job, or NULL */
	struct sw_data place; /* the same, taken apart; bytes 0: none */
};
/* Reads pod sets and spillway.dev annotations, strictly: the error names the JSON path, what was found and the
 * nearest valid value. A wish for GPUs without a GPU request is refused. */
__attribute__((warn_unused_result)) struct sw_err sw_demand_read(const struct sw_kind *k, json_t *job,
								 const struct sw_catalog *cat, struct sw_demand *out);
/*
 * The same of a Workload's spec.podSets, for managers whose Kueue counts by itself (it knows sidecars that operators
 * add, and the pods of a TrainJob). What is there was admitted: pods are read leniently. holder: the object that
 * carries the spillway.dev annotations and labels: the job, or the Workload where no job is at hand; may be NULL.
 */
__attribute__((warn_unused_result)) struct sw_err
sw_demand_of_podsets(json_t *podsets, json_t *holder, const struct sw_catalog *cat, struct sw_demand *out);
/* One number for the wishes as they are written, 0 without any. Another number: the demand has to be read again. */
uint32_t sw_demand_mark(json_t *job);
/* May this GPU serve it? NULL: yes; otherwise why not, in words ("T4 has no fp64"), in buf. */
const char *sw_demand_refuses(const struct sw_demand *d, const struct sw_gpu *gpu, char *buf, size_t size);
/* The same for the shape of a TPU slice ("4x4") whose nodes have chips_per_node: a slice of several nodes is taken
 * whole, with pods that take all chips of their node. topology NULL or unreadable: nothing to say. */
const char *sw_demand_refuses_topology(const struct sw_demand *d, const char *topology, int chips_per_node, char *buf,
				       size_t size);
int sw_topology_chips(const char *topology); /* "4x4" -> 16; 0: none */

/* ---- the copy that goes to a worker ----------------------------------------- */

struct sw_copy_spec {
	const char *origin;       /* installation id */
	const char *workload_key; /* "ns/name" */
	const char *owner_uid;
	unsigned attempt;
	const char *pool;
	json_t *podsets; /* a Workload's spec.podSets to take the templates from, or NULL: the job's own */
};
/* gives a suspended copy: deep copy, foreign fields dropped, identity added to the job and to every pod template,
 * ttlSecondsAfterFinished stripped, generateName dropped. NULL only if spec->podsets do not fit: sw_kind_fill() on a
 * copy of the job says why. What its pods ask for where it runs is sw_translate_job()'s: translate.h. */
json_t *sw_kind_copy(const struct sw_kind *k, json_t *job, const struct sw_copy_spec *spec);
/* gives a deep copy of the job, filled by sw_kind_fill(). */
__attribute__((warn_unused_result)) struct sw_err sw_kind_with_podsets(const struct sw_kind *k, json_t *job,
								       json_t *podsets, json_t **out);

/*
 * Puts the templates of a Workload's spec.podSets into a private copy of its job, set by set, by name. Needed where the
 * job may have been changed since its Workload was made (Kueue adds the selectors of the manager's flavors to the job
 * when it starts) or where the mirror was translated for its worker. INVALID: a set of one is not in the other, with
 * the names of both; the copy is then of no use. Counts stay the job's.
 */
__attribute__((warn_unused_result)) struct sw_err sw_kind_fill(const struct sw_kind *k, json_t *copy, json_t *podsets);

#endif
