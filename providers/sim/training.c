/* SPDX-License-Identifier: Apache-2.0 */
/*
 * training.c - Kubeflow's training operator (v1) as a pure function, six kinds from one table
 *
 * Imitates github.com/kubeflow/training-operator v1.9.3: pkg/controller.v1/common/{job,pod}.go (ReconcileJobs,
 * ReconcilePods, DeletePodsAndServices), pkg/core (replica statuses, deadlines, restarts), pkg/util/status.go
 * (conditions) and each kind's UpdateJobStatus. Left out: services, pod groups, the environment that frameworks need,
 * elastic policies. Counted restarts stand for the requeue count of its work queue.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plan.h"
#include "spillway/text.h"

enum { ROLES_MAX = 5 };

struct training_kind {
	const char *kind, *specs, *controller;
	bool restarts;                /* default restartPolicy OnFailure (else Never) */
	const char *leaders[3];       /* the first that the job has decides when it has ended */
	const char *roles[ROLES_MAX]; /* in the order they are made */
};

static const struct training_kind kinds[] = {
	{"PyTorchJob",
	 "spec.pytorchReplicaSpecs",
	 "pytorchjob-controller",
	 true,
	 {"Master", "Worker"},
	 {"Master", "Worker"}},
	{"TFJob",
	 "spec.tfReplicaSpecs",
	 "tfjob-controller",
	 false,
	 {"Chief", "Master", "Worker"},
	 {"Chief", "Evaluator", "Master", "PS", "Worker"}},
	{"PaddleJob",
	 "spec.paddleReplicaSpecs",
	 "paddlejob-controller",
	 true,
	 {"Master", "Worker"},
	 {"Master", "Worker"}},
	{"XGBoostJob", "spec.xgbReplicaSpecs", "xgboostjob-controller", false, {"Master"}, {"Master", "Worker"}},
	{"JAXJob", "spec.jaxReplicaSpecs", "jaxjob-controller", false, {"Worker"}, {"Worker"}},
	{"MPIJob", "spec.mpiReplicaSpecs", "mpijob-controller", false, {"Launcher"}, {"Launcher", "Worker"}},
};

struct role {
	const char *name;
	json_t *spec;
	int32_t replicas, active, succeeded, failed;
	const char *restart;
};

struct train_ctx {
	const struct training_kind *kind;
	json_t *job, *status, *policy;
	json_t *const *pods;
	size_t n;
	const struct sim_clock *clock;
	struct sim_training_memory *mem;
	struct sim_plan *plan;
	struct role roles[ROLES_MAX];
	size_t n_roles;
	const char *leader, *name;
	bool first_worker_done, restarting;
	char now[32];
};

/* ---- conditions (pkg/util/status.go) ---------------------------------------------------- */

static bool is_text(json_t *o, const char *field, const char *text)
{
	const char *is = sw_json_str(o, field);

	return is && strcmp(is, text) == 0;
}

static bool cond_true(struct train_ctx *c, const char *type)
{
	json_t *list = sw_json_at(c->status, "conditions");

	for (size_t i = 0; i < sw_json_len(list); i++)
		if (is_text(sw_json_idx(list, i), "type", type) && is_text(sw_json_idx(list, i), "status", "True"))
			return true;
	return false;
}

static bool is_either(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* filterOutCondition: Running and Restarting replace each other; an end makes Running False */
static json_t *others(json_t *list, const char *type)
{
	json_t *kept = json_object_new_array();

	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *c = sw_json_idx(list, i);
		const char *is = sw_json_str(c, "type");

		if (!is || strcmp(is, type) == 0 ||
		    (is_either(is, "Running", "Restarting") && is_either(type, "Running", "Restarting")))
			continue;
		c = sw_json_copy(c);
		if (is_either(type, "Failed", "Succeeded") && strcmp(is, "Running") == 0)
			sw_json_set_str(c, "status", "False");
		json_object_array_add(kept, c);
	}
	return kept;
}

/* setCondition: the newest goes last; after Failed nothing changes. Says whether it did. */
__attribute__((format(printf, 4, 5))) static bool set_condition(struct train_ctx *c, const char *type, bool on,
								const char *fmt, ...)
{
	json_t *list = sw_json_at(c->status, "conditions"), *fresh = json_object_new_object(), *kept;
	char reason[64], message[256];
	va_list ap;

	snprintf(reason, sizeof(reason), "%s%s", c->kind->kind,
		 on || strcmp(type, "Suspended") == 0 ? type : "Suspended");
	if (strcmp(type, "Suspended") == 0 && !on)
		snprintf(reason, sizeof(reason), "%sResumed", c->kind->kind);
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	sw_json_set_str(fresh, "type", type);
	sw_json_set_str(fresh, "status", on ? "True" : "False");
	sw_json_set_str(fresh, "reason", reason);
	sw_json_set_str(fresh, "message", message);
	sw_json_set_str(fresh, "lastUpdateTime", c->now);
	sw_json_set_str(fresh, "lastTransitionTime", c->now);
	for (size_t i = 0; i < sw_json_len(list); i++) {
		json_t *old = sw_json_idx(list, i);

		if (is_text(old, "type", type) && is_text(old, "status", on ? "True" : "False") &&
		    is_text(old, "reason", reason)) {
			json_object_put(fresh);
			return false;
		}
	}
	if (cond_true(c, "Failed")) {
		json_object_put(fresh);
		return false;
	}
	kept = others(list, type);
	json_object_array_add(kept, fresh);
	sw_json_set(c->status, "conditions", kept);
	return true;
}

static void end_job(struct train_ctx *c, bool ok, const char *why)
{
	if (!sw_json_str(c->status, "completionTime"))
		sw_json_set_str(c->status, "completionTime", c->now);
	c->mem->finished_ms = c->clock->wall_ms;
	if (set_condition(c, ok ? "Succeeded" : "Failed", true, "%s", why)) {
		char reason[64];

		snprintf(reason, sizeof(reason), "%s%s", c->kind->kind, ok ? "Succeeded" : "Failed");
		sim_plan_event(c->plan, !ok, reason, "%s", why);
	}
}

/* ---- reading ------------------------------------------------------------------------------ */

static bool has_role(struct train_ctx *c, const char *name)
{
	for (size_t i = 0; i < c->n_roles; i++)
		if (strcmp(c->roles[i].name, name) == 0)
			return true;
	return false;
}

static void read_roles(struct train_ctx *c)
{
	json_t *specs = sw_json_at(c->job, c->kind->specs);

	for (size_t i = 0; i < ROLES_MAX && c->kind->roles[i]; i++) {
		json_t *spec = sw_json_key(specs, c->kind->roles[i]);
		const char *restart = sw_json_str(spec, "restartPolicy");

		if (!spec)
			continue;
		c->roles[c->n_roles++] = (struct role){
			.name = c->kind->roles[i],
			.spec = spec,
			.replicas = (int32_t)sw_json_int(spec, "replicas", 1),
			.restart = restart             ? restart
				   : c->kind->restarts ? "OnFailure"
						       : "Never",
		};
	}
	for (size_t i = 0; i < 3 && c->kind->leaders[i] && !c->leader; i++)
		if (has_role(c, c->kind->leaders[i]))
			c->leader = c->kind->leaders[i];
}

static const char *lower(const char *role, char buf[24])
{
	size_t i = 0;

	for (; role[i] && i < 23; i++)
		buf[i] = (char)(role[i] >= 'A' && role[i] <= 'Z' ? role[i] + 32 : role[i]);
	buf[i] = '\0';
	return buf;
}

/* The pod of this role and index; deleted ones stand until they are gone, because names are fixed. */
static json_t *find_pod(struct train_ctx *c, const char *role, int32_t index)
{
	char text[16], type[24];

	snprintf(text, sizeof(text), "%d", (int)index);
	lower(role, type);
	for (size_t i = 0; i < c->n; i++) {
		const char *t = sw_json_label(c->pods[i], "training.kubeflow.org/replica-type");
		const char *x = sw_json_label(c->pods[i], "training.kubeflow.org/replica-index");

		if (t && x && strcmp(t, type) == 0 && strcmp(x, text) == 0)
			return c->pods[i];
	}
	return NULL;
}

/* ---- pods ----------------------------------------------------------------------------------- */

static bool is_master(const struct train_ctx *c, const char *role, int32_t index)
{
	return c->leader && strcmp(role, c->leader) == 0 && (strcmp(role, "Worker") != 0 || index == 0);
}

static void create_pod(struct train_ctx *c, const struct role *r, int32_t index)
{
	bool launcher = strcmp(r->name, "Launcher") == 0;
	char type[24], number[16], *name;
	json_t *pod;

	snprintf(number, sizeof(number), "%d", (int)index);
	name = launcher ? sw_asprintf("%s-launcher", c->name)
			: sw_asprintf("%s-%s-%s", c->name, lower(r->name, type), number);
	pod = sim_pod_from_template(c->job, sw_json_at(r->spec, "template"), NULL, name);
	sw_json_set_label(pod, "training.kubeflow.org/operator-name", c->kind->controller);
	sw_json_set_label(pod, "training.kubeflow.org/job-name", c->name);
	sw_json_set_label(pod, "training.kubeflow.org/replica-type", lower(r->name, type));
	sw_json_set_label(pod, "training.kubeflow.org/replica-index", number);
	if (is_master(c, r->name, index))
		sw_json_set_label(pod, "training.kubeflow.org/job-role", "master");
	sw_json_set_str(pod, "spec.restartPolicy", strcmp(r->restart, "ExitCode") == 0 ? "Never" : r->restart);
	sim_plan_event(c->plan, false, "SuccessfulCreatePod", "Created pod: %s", name);
	json_object_array_add(c->plan->create, pod);
	free(name);
}

static void drop_pod(struct train_ctx *c, json_t *pod)
{
	if (!sim_pod_deleting(pod))
		json_object_array_add(c->plan->drop, json_object_get(pod));
}

/* DeletePodsAndServices. Of a finished job: as cleanPodPolicy says (default None); otherwise all. */
static void clean_pods(struct train_ctx *c, bool finished)
{
	const char *clean = sw_json_str(c->policy, "cleanPodPolicy");

	if (!clean)
		clean = sw_json_str(c->job, "spec.cleanPodPolicy");
	if (finished && (!clean || strcmp(clean, "None") == 0))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (!finished || strcmp(clean, "All") == 0 || sim_pod_phase(c->pods[i]) < SIM_SUCCEEDED)
			drop_pod(c, c->pods[i]);
}

static int64_t exit_code(json_t *pod)
{
	json_t *first = sw_json_idx(sw_json_at(pod, "status.containerStatuses"), 0);

	return sw_json_int(first, "state.terminated.exitCode", 0xbeef);
}

static void restart_or_fail(struct train_ctx *c, const struct role *r, json_t *pod)
{
	bool by_code = strcmp(r->restart, "ExitCode") == 0, retryable = exit_code(pod) >= 128;
	char why[256], reason[64];

	if (is_either(r->restart, "OnFailure", "Always") || (by_code && retryable)) {
		snprintf(reason, sizeof(reason), "%sRestarting", c->kind->kind);
		if (!sim_pod_deleting(pod)) {
			c->mem->restarts++;
			sim_plan_event(c->plan, true, reason, "job %s is restarting because %s replica(s) failed.",
				       c->name, r->name);
		}
		drop_pod(c, pod);
		set_condition(c, "Restarting", true, "job %s is restarting because %s replica(s) failed.", c->name,
			      r->name);
		c->restarting = true;
	} else if (by_code) {
		snprintf(why, sizeof(why), "job \"%s\" is failing because \"%s\" replica(s) failed.", c->name, r->name);
		end_job(c, false, why);
	}
}

static void count_pod(struct role *r, json_t *pod)
{
	switch (sim_pod_phase(pod)) {
	case SIM_RUNNING:
		if (sim_pod_deleting(pod))
			r->failed++;
		else
			r->active++;
		break;
	case SIM_SUCCEEDED:
		r->succeeded++;
		break;
	case SIM_FAILED:
		r->failed++;
		break;
	case SIM_PENDING:
		break;
	}
}

static void reconcile_role(struct train_ctx *c, struct role *r)
{
	for (int32_t i = 0; i < r->replicas && i < 1000; i++) {
		json_t *pod = find_pod(c, r->name, i);

		if (!pod) {
			create_pod(c, r, i);
			continue;
		}
		if (sim_pod_phase(pod) == SIM_FAILED)
			restart_or_fail(c, r, pod);
		count_pod(r, pod);
		if (i == 0 && strcmp(r->name, "Worker") == 0)
			c->first_worker_done = sim_pod_phase(pod) == SIM_SUCCEEDED;
	}
	for (size_t i = 0; i < c->n; i++) { /* replicas was lowered */
		const char *t = sw_json_label(c->pods[i], "training.kubeflow.org/replica-type");
		const char *x = sw_json_label(c->pods[i], "training.kubeflow.org/replica-index");
		char type[24];

		if (t && x && strcmp(t, lower(r->name, type)) == 0 && sim_number(x, 0) >= r->replicas)
			drop_pod(c, c->pods[i]);
	}
}

/* ---- status ------------------------------------------------------------------------------------- */

static void set_replica_status(struct train_ctx *c, const struct role *r)
{
	json_t *all = sw_json_at(c->status, "replicaStatuses"), *one = json_object_new_object();
	char type[24], *selector;

	if (!all) {
		all = json_object_new_object();
		sw_json_set(c->status, "replicaStatuses", all);
	}
	if (r->active > 0)
		sw_json_set_int(one, "active", r->active);
	if (r->succeeded > 0)
		sw_json_set_int(one, "succeeded", r->succeeded);
	if (r->failed > 0)
		sw_json_set_int(one, "failed", r->failed);
	if (is_either(c->kind->kind, "PyTorchJob", "JAXJob") || strcmp(c->kind->kind, "PaddleJob") == 0) {
		selector = sw_asprintf("training.kubeflow.org/job-name=%s,training.kubeflow.org/operator-name=%s,"
				       "training.kubeflow.org/replica-type=%s",
				       c->name, c->kind->controller, lower(r->name, type));
		sw_json_set_str(one, "selector", selector);
		free(selector);
	}
	json_object_object_add(all, r->name, one);
}

static bool all_workers_run(const struct train_ctx *c)
{
	for (size_t i = 0; i < c->n_roles; i++)
		if (c->roles[i].active < c->roles[i].replicas)
			return false;
	return true;
}

static void judge_leader(struct train_ctx *c, const struct role *r)
{
	const char *policy = sw_json_str(c->job, "spec.successPolicy");
	bool tf_first = strcmp(c->kind->kind, "TFJob") == 0 && strcmp(r->name, "Worker") == 0 && c->first_worker_done &&
			!(policy && strcmp(policy, "AllWorkers") == 0);
	bool mpi = strcmp(c->kind->kind, "MPIJob") == 0;
	char why[256];

	if (r->active > 0 && !c->restarting && (!mpi || all_workers_run(c)))
		set_condition(c, "Running", true, "%s %s is running.", c->kind->kind, c->name);
	if (r->replicas - r->succeeded > 0 && !tf_first)
		return;
	snprintf(why, sizeof(why), "%s %s is successfully completed.", c->kind->kind, c->name);
	end_job(c, true, why);
}

static void judge_failures(struct train_ctx *c, const struct role *r)
{
	char why[256];

	if (r->failed == 0 || r->replicas <= r->succeeded + r->active || cond_true(c, "Succeeded") || c->restarting)
		return;
	if (strcmp(c->kind->kind, "MPIJob") == 0 && strcmp(r->name, "Launcher") != 0)
		return; /* its launcher notices and decides */
	if (strcmp(r->restart, "Never") == 0) {
		snprintf(why, sizeof(why), "%s %s is failed because %d %s replica(s) failed.", c->kind->kind, c->name,
			 (int)r->failed, r->name);
		end_job(c, false, why);
	} else
		set_condition(c, "Restarting", true, "%s %s is restarting because %d %s replica(s) failed.",
			      c->kind->kind, c->name, (int)r->failed, r->name);
}

/* PastActiveDeadline and PastBackoffLimit. Says whether the job has ended by them. */
static bool past_limits(struct train_ctx *c)
{
	int64_t limit = sw_json_int(c->policy, "backoffLimit", -1),
		deadline_s = sw_json_int(c->policy, "activeDeadlineSeconds", 0);
	int64_t restarts = c->mem->restarts, left;
	char why[256] = "";

	for (size_t i = 0; i < c->n; i++)
		if (sim_pod_phase(c->pods[i]) == SIM_RUNNING)
			restarts += sim_pod_restarts(c->pods[i]);
	if (limit >= 0 && restarts > 0 && restarts >= limit)
		snprintf(why, sizeof(why), "Job %s has failed because it has reached the specified backoff limit",
			 c->name);
	if (deadline_s > 0 && c->mem->started_ms > 0) {
		left = c->mem->started_ms + sim_clock_real(c->clock, deadline_s * 1000) - c->clock->wall_ms;
		if (left <= 0)
			snprintf(why, sizeof(why),
				 "Job %s has failed because it was active longer than specified deadline", c->name);
		else
			sim_plan_again(c->plan, left);
	}
	if (!*why)
		return false;
	clean_pods(c, false);
	end_job(c, false, why);
	return true;
}

/* ---- the whole -------------------------------------------------------------------------------------- */

static void plan_finished(struct train_ctx *c)
{
	int64_t ttl_s = sw_json_int(c->policy, "ttlSecondsAfterFinished", -1), left;

	clean_pods(c, true);
	if (cond_true(c, "Succeeded"))
		for (size_t i = 0; i < c->n_roles; i++) {
			json_t *one = sw_json_key(sw_json_at(c->status, "replicaStatuses"), c->roles[i].name);
			int64_t active = sw_json_int(one, "active", 0);

			if (active > 0) {
				sw_json_set_int(one, "succeeded", sw_json_int(one, "succeeded", 0) + active);
				sw_json_del(one, "active");
			}
		}
	if (ttl_s < 0 || sim_pod_deleting(c->job))
		return;
	if (c->mem->finished_ms == 0)
		c->mem->finished_ms = c->clock->wall_ms;
	left = c->mem->finished_ms + sim_clock_real(c->clock, ttl_s * 1000) - c->clock->wall_ms;
	c->plan->expire = left <= 0;
	if (left > 0)
		sim_plan_again(c->plan, left);
}

static void plan_suspended(struct train_ctx *c)
{
	char reason[64];

	clean_pods(c, false);
	for (size_t i = 0; i < c->n_roles; i++)
		sw_json_del(sw_json_key(sw_json_at(c->status, "replicaStatuses"), c->roles[i].name), "active");
	if (cond_true(c, "Running"))
		set_condition(c, "Running", false, "%s %s is suspended.", c->kind->kind, c->name);
	if (set_condition(c, "Suspended", true, "%s %s is suspended.", c->kind->kind, c->name)) {
		snprintf(reason, sizeof(reason), "%sSuspended", c->kind->kind);
		sim_plan_event(c->plan, false, reason, "%s %s is suspended.", c->kind->kind, c->name);
	}
	c->mem->started_ms = 0;
}

static void start(struct train_ctx *c)
{
	bool resumed = cond_true(c, "Suspended") &&
		       set_condition(c, "Suspended", false, "%s %s is resumed.", c->kind->kind, c->name);

	if (resumed || !sw_json_str(c->status, "startTime"))
		sw_json_set_str(c->status, "startTime", c->now);
	if (resumed || c->mem->started_ms == 0)
		c->mem->started_ms = c->clock->wall_ms;
}

static void plan_running(struct train_ctx *c)
{
	start(c);
	if (past_limits(c))
		return;
	for (size_t i = 0; i < c->n_roles && !cond_true(c, "Failed"); i++)
		reconcile_role(c, &c->roles[i]);
	for (size_t i = 0; i < c->n_roles; i++)
		set_replica_status(c, &c->roles[i]);
	for (size_t i = 0; i < c->n_roles; i++)
		if (c->leader && strcmp(c->roles[i].name, c->leader) == 0)
			judge_leader(c, &c->roles[i]);
	for (size_t i = 0; i < c->n_roles; i++)
		judge_failures(c, &c->roles[i]);
}

static const struct training_kind *kind_of(json_t *job)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is_text(job, "kind", kinds[i].kind))
			return &kinds[i];
	return NULL;
}

void sim_training_plan(json_t *job, json_t *const *pods, size_t n, const struct sim_clock *clock,
		       struct sim_training_memory *mem, struct sim_plan *out)
{
	struct train_ctx c = {
		.kind = kind_of(job), .job = job, .pods = pods, .n = n, .clock = clock, .mem = mem, .plan = out};
	const char *manager;
	json_t *old = sw_json_at(job, "status");

	c.policy = sw_json_at(job, "spec.runPolicy");
	c.name = sw_json_str(job, "metadata.name");
	manager = sw_json_str(c.policy, "managedBy");
	if (!c.kind || !c.name || (manager && strcmp(manager, "kubeflow.org/training-operator") != 0))
		return;
	c.status = old ? sw_json_copy(old) : json_object_new_object();
	sw_time_text(clock->wall_ms, c.now);
	read_roles(&c);
	if (sw_json_len(sw_json_at(c.status, "conditions")) == 0)
		set_condition(&c, "Created", true, "%s %s is created.", c.kind->kind, c.name);
	if (cond_true(&c, "Succeeded") || cond_true(&c, "Failed"))
		plan_finished(&c);
	else if (sw_json_bool(c.policy, "suspend"))
		plan_suspended(&c);
	else if (!sim_pod_deleting(job))
		plan_running(&c);
	if (json_object_equal(c.status, old))
		json_object_put(c.status);
	else
		out->status = c.status;
}
