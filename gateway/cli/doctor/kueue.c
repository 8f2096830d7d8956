/* SPDX-License-Identifier: Apache-2.0 */
/* kueue.c - checks of Kueue on the manager: version, gates, our check, the policy, origins */
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "spillway/text.h"

#define INSTALL_KUEUE                                                                                                  \
	"kubectl apply --server-side -f "                                                                              \
	"https://github.com/kubernetes-sigs/kueue/releases/download/v0.19.2/manifests.yaml"
#define APPLY_MIRROR "kubectl apply -k config/kubernetes/mirror"

void doctor_check_kueue_api(struct doctor_site *s, struct doctor_cluster *c)
{
	if (doctor_serves(c, "kueue.x-k8s.io", "v1beta2"))
		doctor_say(s, c, DOCTOR_OK, "Kueue's API", NULL, "v1beta2");
	else if (doctor_serves(c, "kueue.x-k8s.io", NULL))
		doctor_say(s, c, DOCTOR_FAIL, "Kueue's API", sw_asprintf("on %s: " INSTALL_KUEUE, c->name),
			   "kueue.x-k8s.io is served, but not as v1beta2: Kueue is too old");
	else
		doctor_say(s, c, DOCTOR_FAIL, "Kueue's API", sw_asprintf("on %s: " INSTALL_KUEUE, c->name),
			   "kueue.x-k8s.io is not served: Kueue is not installed");
}

/* "v0.19.2" of "registry.k8s.io/kueue/kueue:v0.19.2@sha256:..."; "" if there is none. */
static void image_version(const struct doctor_cluster *c, char *out, size_t size)
{
	json_t *containers = sw_json_at(doctor_body(c, "kueue's deployment"), "spec.template.spec.containers");
	const char *image = sw_json_str(sw_json_idx(containers, 0), "image"),
		   *colon = image ? strrchr(image, ':') : NULL;

	*out = '\0';
	for (const char *at = image ? strstr(image, ":v") : NULL; at; at = NULL)
		colon = at;
	if (colon)
		snprintf(out, size, "%.*s", (int)strcspn(colon + 1, "@"), colon + 1);
}

/* "v0.19.2": false if it is no version. */
static bool read_version(const char *s, long *major, long *minor)
{
	char *end;

	if (*s != 'v' || s[1] < '0' || s[1] > '9')
		return false;
	*major = strtol(s + 1, &end, 10);
	if (*end != '.')
		return false;
	*minor = strtol(end + 1, &end, 10);
	return true;
}

void doctor_check_kueue_version(struct doctor_site *s, struct doctor_cluster *c)
{
	char version[64];
	long major = 0, minor = 0;

	image_version(c, version, sizeof version);
	if (!read_version(version, &major, &minor))
		doctor_say(s, c, DOCTOR_WARN, "Kueue", NULL,
			   "its version is not known: deployment kueue-system/kueue-controller-manager was not found");
	else if (major == 0 && minor < 18)
		doctor_say(s, c, DOCTOR_WARN, "Kueue", sw_strdup(INSTALL_KUEUE),
			   "%s: spillway is tested with 0.18 and 0.19", version);
	else
		doctor_say(s, c, DOCTOR_OK, "Kueue", NULL, "%s", version);
}

/* ---- the check ------------------------------------------------------------------------- */

void doctor_check_admission_check(struct doctor_site *s, struct doctor_cluster *c)
{
	json_t *items = doctor_items(c, "list admissionchecks");
	bool nominate = c->scope == DOCTOR_NOMINATE;
	const char *controller = nominate ? DOCTOR_MULTIKUEUE : DOCTOR_CONTROLLER;
	size_t found = 0;

	for (size_t i = 0; i < sw_json_len(items); i++) {
		json_t *ac = sw_json_idx(items, i);
		const char *by = sw_json_str(ac, "spec.controllerName"), *name = sw_json_str(ac, "metadata.name");
		const char *why = sw_json_str(sw_json_condition(ac, "Active"), "message");
		if (!by || strcmp(by, controller) != 0)
			continue;
		found++;
		if (sw_json_condition_true(ac, "Active"))
			doctor_say(s, c, DOCTOR_OK, "admission check", NULL, "%s is active", name);
		else
			doctor_say(s, c, DOCTOR_WARN, "admission check",
				   nominate ? NULL : sw_strdup("kubectl -n spillway-system logs deployment/spillway"),
				   "%s is not active%s%s: queues with it admit nothing%s", name, why ? ", " : "",
				   why ? why : "", nominate ? "" : "; the gateway makes it active when it runs");
	}
	if (items && !found)
		doctor_say(s, c, DOCTOR_FAIL, "admission check",
			   sw_strdup(nominate ? "see docs/kueue.md" : APPLY_MIRROR),
			   "no AdmissionCheck has the controllerName %s", controller);
}

/* ---- managedBy ------------------------------------------------------------------------- */

static bool is_named(json_t *items, const char *name)
{
	for (size_t i = 0; i < sw_json_len(items); i++) {
		const char *found = sw_json_str(sw_json_idx(items, i), "metadata.name");
		if (found && strcmp(found, name) == 0)
			return true;
	}
	return false;
}

static bool is_bound(json_t *bindings, const char *policy)
{
	for (size_t i = 0; i < sw_json_len(bindings); i++) {
		const char *to = sw_json_str(sw_json_idx(bindings, i), "spec.policyName");
		if (to && strcmp(to, policy) == 0)
			return true;
	}
	return false;
}

/* On servers before 1.36 a webhook of the gateway does the policy's work. */
static void check_webhook(struct doctor_site *s, const struct doctor_cluster *c)
{
	json_t *hooks = doctor_items(c, "list webhooks");

	if (!hooks)
		doctor_say(s, c, DOCTOR_WARN, "admission policy", sw_strdup(APPLY_MIRROR),
			   "could not be looked for: rights of config/kubernetes/base/doctor");
	else if (is_named(hooks, "spillway-managed-by"))
		doctor_say(s, c, DOCTOR_OK, "admission policy", NULL, "the webhook sets managedBy");
	else
		doctor_say(s, c, DOCTOR_FAIL, "admission policy",
			   sw_strdup("kubectl apply -k config/kubernetes/mirror-webhook"),
			   "this server has no MutatingAdmissionPolicy v1 (Kubernetes 1.36), and the webhook is not "
			   "there either: jobs would start on the manager");
}

void doctor_check_policy(struct doctor_site *s, struct doctor_cluster *c)
{
	static const struct {
		const char *name, *without;
	} policies[] = {
		{"spillway-managed-by", "its jobs would start on the manager"},
		{"spillway-managed-by-training", "its jobs would start on the manager"},
		{"spillway-topology", "jobs that ask for a place in a topology would wait for ever on the manager"},
	};
	enum { N = sizeof policies / sizeof *policies };
	const struct doctor_fact *asked = doctor_fact(c, "list policies");
	size_t good = 0;

	if (asked && asked->err.code == SW_E_FORBIDDEN) {
		doctor_say(s, c, DOCTOR_WARN, "admission policy", sw_strdup(APPLY_MIRROR),
			   "could not be looked for: rights of config/kubernetes/base/doctor");
		return;
	}
	if (!doctor_items(c, "list policies")) {
		check_webhook(s, c);
		return;
	}
	for (size_t i = 0; i < N; i++) {
		bool there = is_named(doctor_items(c, "list policies"), policies[i].name);
		bool bound = is_bound(doctor_items(c, "list bindings"), policies[i].name);
		good += there && bound;
		if (!there || !bound)
			doctor_say(s, c, DOCTOR_FAIL, "admission policy", sw_strdup(APPLY_MIRROR),
				   "MutatingAdmissionPolicy %s is not %s: %s", policies[i].name,
				   there ? "bound" : "there", policies[i].without);
	}
	if (good == N)
		doctor_say(s, c, DOCTOR_OK, "admission policy", NULL, "sets managedBy on jobs of labelled LocalQueues");
}

/* ---- nominate role ---------------------------------------------------------------------- */

static bool gate_is_on(const struct doctor_cluster *c, const char *gate)
{
	char path[128], *value;
	bool on = false;
	json_t *args = sw_json_key(
		sw_json_idx(sw_json_at(doctor_body(c, "kueue's deployment"), "spec.template.spec.containers"), 0),
		"args");

	snprintf(path, sizeof path, "featureGates.%s", gate);
	value = doctor_kueue_setting(c, path);
	on = value && strcmp(value, "true") == 0;
	free(value);
	snprintf(path, sizeof path, "%s=true", gate);
	for (size_t i = 0; i < sw_json_len(args); i++) {
		const char *arg = json_object_get_string(sw_json_idx(args, i));
		on |= arg && strncmp(arg, "--feature-gates", 15) == 0 && strstr(arg, path);
	}
	return on;
}

/* Kueue clears the nomination with an apply, which leaves what others wrote: three ways around it. */
void doctor_check_nomination(struct doctor_site *s, struct doctor_cluster *c)
{
	char *dispatcher = doctor_kueue_setting(c, "multiKueue.dispatcherName");
	bool policy = is_named(doctor_items(c, "list policies"), "clear-nominated-cluster-names") &&
		      is_bound(doctor_items(c, "list bindings"), "clear-nominated-cluster-names");

	if (!dispatcher)
		doctor_say(
			s, c, DOCTOR_WARN, "nomination",
			sw_strdup("in Kueue's configuration: multiKueue: {dispatcherName: " DOCTOR_DISPATCHER "}"),
			"Kueue's configuration (ConfigMap kueue-system/kueue-manager-config) could not be read: see to "
			"it that it names spillway as dispatcher");
	else if (strcmp(dispatcher, DOCTOR_DISPATCHER) != 0)
		doctor_say(s, c, DOCTOR_FAIL, "nomination",
			   sw_strdup("kubectl -n kueue-system edit configmap kueue-manager-config, set multiKueue: "
				     "{dispatcherName: " DOCTOR_DISPATCHER "}; kubectl -n kueue-system rollout restart "
				     "deployment kueue-controller-manager"),
			   "multiKueue.dispatcherName is \"%s\", expected " DOCTOR_DISPATCHER, dispatcher);
	else
		doctor_say(s, c, DOCTOR_OK, "nomination", NULL, "Kueue waits for spillway; written %s",
			   policy                                          ? "by patch (Kueue's policy clears it)"
			   : gate_is_on(c, "WorkloadRequestUseMergePatch") ? "by patch (Kueue patches too)"
									   : "by apply as kueue-admission");
	free(dispatcher);
}

/* ---- origins --------------------------------------------------------------------------------- */

/* Two managers with one origin on a worker delete each other's jobs. */
void doctor_check_origin(struct doctor_site *s, struct doctor_cluster *c)
{
	char *theirs = doctor_kueue_setting(c, "multiKueue.origin");
	size_t clusters = sw_json_len(doctor_items(c, "list multikueueclusters"));

	if (theirs && !*theirs) {
		free(theirs);
		theirs = sw_strdup("multikueue"); /* Kueue's default */
	}
	if (c->scope == DOCTOR_MIRROR && clusters && *s->origin && theirs && strcmp(theirs, s->origin) == 0)
		doctor_say(s, c, DOCTOR_FAIL, "origin", sw_strdup("leave identity.origin empty in spillway.yaml"),
			   "MultiKueue on this manager has the same origin \"%s\": each would delete the other's jobs",
			   s->origin);
	else
		doctor_say(s, c, DOCTOR_OK, "origin", NULL, "%s", *s->origin ? s->origin : "made at first start");
	free(theirs);
}
