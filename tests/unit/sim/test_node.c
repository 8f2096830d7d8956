/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_node.c - what nodes do with pods: who fits, and the life of a pod on a kubelet
 */
#include "../../../providers/sim/objects.h"
#include "sim_test.h"

/* ---- fit -------------------------------------------------------------------------------- */

#define NODE(rest)                                                                                                     \
	"{'metadata':{'name':'n','labels':{'gpu':'T4','zone':'7'}},'spec':{" rest                                      \
	"},'status':{'allocatable':{'cpu':'4','memory':'8Gi','pods':'2','nvidia.com/"                                  \
	"gpu':'2'},'conditions':[{'type':'Ready','status':'True'}]}}"
#define TAINT      "'taints':[{'key':'spillway.dev/burst','value':'p','effect':'NoSchedule'}]"
#define ASKS(what) "'containers':[{'name':'c','resources':{'requests':{" what "}}}]"
#define AFFINITY(e)                                                                                                    \
	"'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{'"        \
	"matchExpressions':[" e "]}]}}}"

static const struct {
	const char *name, *pod, *node, *why;
} fits[] = {
	{"nothing asked, all free", ASKS(""), NODE(""), NULL},
	{"all of it", ASKS("'cpu':'4','memory':'8Gi','nvidia.com/gpu':2"), NODE(""), NULL},
	{"a little more CPU", ASKS("'cpu':'4001m'"), NODE(""), "Insufficient cpu"},
	{"a little more memory", ASKS("'memory':'8193Mi'"), NODE(""), "Insufficient memory"},
	{"one GPU more", ASKS("'nvidia.com/gpu':3"), NODE(""), "Insufficient nvidia.com/gpu"},
	{"another vendor's", ASKS("'amd.com/gpu':1"), NODE(""), "Insufficient amd.com/gpu"},
	{"limits count as requests", "'containers':[{'name':'c','resources':{'limits':{'nvidia.com/gpu':3}}}]",
	 NODE(""), "Insufficient nvidia.com/gpu"},
	{"cordoned", ASKS(""), NODE("'unschedulable':true"), "node(s) were unschedulable"},
	{"tainted", ASKS(""), NODE(TAINT), "node(s) had untolerated taint {spillway.dev/burst: p}"},
	{"tolerated",
	 ASKS("") ",'tolerations':[{'key':'spillway.dev/burst','operator':'Equal','value':'p','effect':'NoSchedule'}]",
	 NODE(TAINT), NULL},
	{"another value is not", ASKS("") ",'tolerations':[{'key':'spillway.dev/burst','value':'q'}]", NODE(TAINT),
	 "node(s) had untolerated taint {spillway.dev/burst: p}"},
	{"existence tolerates any value", ASKS("") ",'tolerations':[{'key':'spillway.dev/burst','operator':'Exists'}]",
	 NODE(TAINT), NULL},
	{"everything is tolerated", ASKS("") ",'tolerations':[{'operator':'Exists'}]", NODE(TAINT), NULL},
	{"another effect is not", ASKS("") ",'tolerations':[{'operator':'Exists','effect':'NoExecute'}]", NODE(TAINT),
	 "node(s) had untolerated taint {spillway.dev/burst: p}"},
	{"a preference keeps nobody out", ASKS(""), NODE("'taints':[{'key':'k','effect':'PreferNoSchedule'}]"), NULL},
	{"a device's taint lets in who asks for it", ASKS("'nvidia.com/gpu':1"),
	 NODE("'taints':[{'key':'nvidia.com/gpu','value':'present','effect':'NoSchedule'}]"), NULL},
	{"and nobody else", ASKS(""),
	 NODE("'taints':[{'key':'nvidia.com/gpu','value':'present','effect':'NoSchedule'}]"),
	 "node(s) had untolerated taint {nvidia.com/gpu: present}"},
	{"selected", ASKS("") ",'nodeSelector':{'gpu':'T4'}", NODE(""), NULL},
	{"not selected", ASKS("") ",'nodeSelector':{'gpu':'V100'}", NODE(""),
	 "node(s) didn't match Pod's node affinity/selector"},
	{"no such label", ASKS("") ",'nodeSelector':{'x':''}", NODE(""),
	 "node(s) didn't match Pod's node affinity/selector"},
	{"affinity: in", ASKS("") "," AFFINITY("{'key':'gpu','operator':'In','values':['A','T4']}"), NODE(""), NULL},
	{"affinity: not in", ASKS("") "," AFFINITY("{'key':'gpu','operator':'NotIn','values':['T4']}"), NODE(""),
	 "node(s) didn't match Pod's node affinity/selector"},
	{"affinity: greater", ASKS("") "," AFFINITY("{'key':'zone','operator':'Gt','values':['6']}"), NODE(""), NULL},
	{"affinity: not there", ASKS("") "," AFFINITY("{'key':'x','operator':'DoesNotExist'}"), NODE(""), NULL},
	{"affinity: unknown operator", ASKS("") "," AFFINITY("{'key':'gpu','operator':'Like','values':['T4']}"),
	 NODE(""), "node(s) didn't match Pod's node affinity/selector"},
	{"pod affinity is not ignored",
	 ASKS("") ",'affinity':{'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{}]}}", NODE(""),
	 "node(s) whose simulator does not know pod affinity"},
	{"gates are not ignored", ASKS("") ",'schedulingGates':[{'name':'g'}]", NODE(""),
	 "node(s) not tried: the pod has scheduling gates"},
	{"not ready", ASKS(""), "{'status':{'conditions':[{'type':'Ready','status':'False'}]}}",
	 "node(s) were not ready"},
	{"hostile: an amount that is none", ASKS("'cpu':'lots'"), NODE(""),
	 "node(s) that cannot hold what the pod asks for"},
	{"hostile: negative", ASKS("'cpu':'-1'"), NODE(""), "node(s) that cannot hold what the pod asks for"},
	{"hostile: taints of the wrong type", ASKS(""), NODE("'taints':[7,null,{}]"),
	 "node(s) had untolerated taint {: }"},
};

Test(node, who_fits_and_why_not)
{
	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		char *text = sw_asprintf("{'spec':{%s}}", fits[i].pod), buf[160];
		json_t *pod = json_of(text), *node = json_of(fits[i].node);
		struct sim_load asks, room;
		const char *why;

		sim_load_of_pod(pod, &asks);
		sim_load_of_node(node, &room);
		why = sim_misfit(pod, &asks, node, &room, buf);
		cr_expect_str_eq(why ? why : "", fits[i].why ? fits[i].why : "", "%s: found \"%s\"", fits[i].name,
				 why ? why : "it fits");
		json_object_put(pod);
		json_object_put(node);
		free(text);
	}
}

Test(node, what_runs_there_takes_room)
{
	json_t *pod = json_of("{'spec':{" ASKS("'nvidia.com/gpu':1") "}}"), *node = json_of(NODE(""));
	struct sim_load asks, room;
	char buf[160];

	sim_load_of_pod(pod, &asks);
	sim_load_of_node(node, &room);
	sim_load_take(&room, &asks, -1);
	cr_expect_null(sim_misfit(pod, &asks, node, &room, buf));
	sim_load_take(&room, &asks, -1);
	cr_expect_str_eq(sim_misfit(pod, &asks, node, &room, buf), "Insufficient nvidia.com/gpu");
	sim_load_take(&room, &asks, 1);
	sim_load_take(&room, &asks, 1);
	cr_expect_eq(sim_load_get(&room, "nvidia.com/gpu"), 2000);
	json_object_put(pod);
	json_object_put(node);
}

/* ---- kubelet ------------------------------------------------------------------------------ */

struct kubelet_world {
	json_t *pod, *node;
	struct sim_kubelet_memory mem;
	struct sim_clock clock;
	char events[512];
	bool unpinned;
};

static int64_t kw_step(struct kubelet_world *w)
{
	struct sim_kubelet_plan p;
	int64_t again;

	sim_kubelet_plan(w->pod, w->node, &w->clock, &w->mem, &p);
	again = p.again_ms;
	for (size_t i = 0; i < sw_json_len(p.events); i++) {
		strcat(w->events, sw_json_str(sw_json_idx(p.events, i), "reason"));
		strcat(w->events, " ");
	}
	if (p.status)
		sw_json_set(w->pod, "status", sw_json_copy(p.status));
	else if (p.unpin) {
		strip_finalizer(w->pod, SIM_KUBELET);
		w->unpinned = true;
	}
	again = p.status || p.unpin ? 0 : again;
	sim_kubelet_plan_fini(&p);
	return again;
}

static const struct {
	const char *name, *pod, *script, *phase, *has, *events;
	bool unpinned;
} lives[] = {
	{"first its image is pulled", "", "", "Pending",
	 "ContainerCreating|\"startTime\"|\"imageID\":\"\"|PodScheduled", "", false},
	{"then it runs", "", "+2s", "Running", "\"running\"|\"podIP\"|\"hostIP\"|\"ready\":true",
	 "Pulled Created Started ", false},
	{"and ends after ten seconds", "", "+2s +10s", "Succeeded",
	 "\"exitCode\":0|Completed|\"finishedAt\"|PodCompleted", "Pulled Created Started ", true},
	{"or when told", "'sim.spillway.dev/run':'90s'", "+2s +89s", "Running", "\"running\"",
	 "Pulled Created Started ", false},
	{"as told", "'sim.spillway.dev/run':'90s','sim.spillway.dev/exit-code':'3'", "+2s +90s", "Failed",
	 "\"exitCode\":3|Error", "Pulled Created Started ", true},
	{"a run that is no duration is the default", "'sim.spillway.dev/run':'soon'", "+2s +10s", "Succeeded", "",
	 "Pulled Created Started ", true},
	{"indexes that are named fail",
	 "'batch.kubernetes.io/job-completion-index':'5','sim.spillway.dev/fail-indexes':'2,5'", "+2s +10s", "Failed",
	 "\"exitCode\":1", "Pulled Created Started ", true},
	{"others do not",
	 "'batch.kubernetes.io/job-completion-index':'3','sim.spillway.dev/fail-indexes':'2,5','sim.spillway.dev/"
	 "exit-code':'9'",
	 "+2s +10s", "Succeeded", "\"exitCode\":0", "Pulled Created Started ", true},
	{"a deleted pod is killed after a moment", "", "+2s kill +2s", "Failed", "\"exitCode\":143",
	 "Pulled Created Started Killing ", true},
	{"not before", "", "+2s kill +1s", "Running", "\"running\"", "Pulled Created Started Killing ", false},
	{"a pod whose node is gone fails", "", "+2s lose", "Failed", "NodeLost|\"exitCode\":137",
	 "Pulled Created Started ", true},
	{"hostile index", "'batch.kubernetes.io/job-completion-index':'-7','sim.spillway.dev/fail-indexes':'x'",
	 "+2s +10s", "Succeeded", "", "Pulled Created Started ", true},
	{"hostile index, too large",
	 "'batch.kubernetes.io/job-completion-index':'2147483647','sim.spillway.dev/fail-indexes':'0-2147483647'",
	 "+2s +10s", "Succeeded", "", "Pulled Created Started ", true},
};

static void kw_open(struct kubelet_world *w, const char *annotations, const char *policy)
{
	char *text = sw_asprintf(
		"{'metadata':{'name':'p','namespace':'ns','uid':'u','annotations':{%s},'finalizers':['" SIM_KUBELET
		"']},"
		"'spec':{'nodeName':'n','restartPolicy':'%s','containers':[{'name':'c','image':'busybox'}]}}",
		annotations, policy);

	*w = (struct kubelet_world){.clock = {.wall_ms = 1764000000000, .scale = 1}};
	w->pod = json_of(text);
	w->node = json_of(
		"{'metadata':{'name':'n'},'status':{'addresses':[{'type':'InternalIP','address':'10.0.0.1'}]}}");
	free(text);
}

static void kw_play(struct kubelet_world *w, const char *script)
{
	char *copy = sw_strdup(script), *save = NULL;
	int64_t ms;

	for (int i = 0; i < 4; i++)
		kw_step(w);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (*word == '+') {
			cr_assert(!sw_failed(sw_duration_parse(word + 1, &ms)));
			w->clock.wall_ms += ms;
		} else if (strcmp(word, "kill") == 0)
			sw_json_set_str(w->pod, "metadata.deletionTimestamp", "2025-11-24T15:00:00Z");
		else {
			json_object_put(w->node);
			w->node = NULL;
		}
		for (int i = 0; i < 4; i++)
			kw_step(w);
	}
	free(copy);
}

Test(node, the_life_of_a_pod)
{
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		struct kubelet_world w;
		char *text, *parts = sw_strdup(lives[i].has), *save = NULL;

		kw_open(&w, lives[i].pod, "Never");
		kw_play(&w, lives[i].script);
		text = sw_json_text(sw_json_at(w.pod, "status"), NULL);
		cr_expect_str_eq(sw_json_str(w.pod, "status.phase"), lives[i].phase, "%s: %s", lives[i].name, text);
		cr_expect_str_eq(w.events, lives[i].events, "%s: events are \"%s\"", lives[i].name, w.events);
		cr_expect_eq(w.unpinned, lives[i].unpinned, "%s: finalizer", lives[i].name);
		for (char *p = strtok_r(parts, "|", &save); p; p = strtok_r(NULL, "|", &save))
			cr_expect(strstr(text, p), "%s: %s is missing in %s", lives[i].name, p, text);
		free(parts);
		free(text);
		json_object_put(w.pod);
		json_object_put(w.node);
	}
}

Test(node, failures_restart_in_place_where_the_policy_says_so)
{
	struct kubelet_world w;
	json_t *c;

	kw_open(&w, "'sim.spillway.dev/exit-code':'1'", "OnFailure");
	kw_play(&w, "+2s +10s +9s");
	c = sw_json_idx(sw_json_at(w.pod, "status.containerStatuses"), 0);
	cr_expect_str_eq(sw_json_str(c, "state.waiting.reason"), "CrashLoopBackOff");
	kw_play(&w, "+1s");
	c = sw_json_idx(sw_json_at(w.pod, "status.containerStatuses"), 0);
	cr_expect_eq(sw_json_int(c, "restartCount", 0), 1);
	cr_expect(sw_json_at(c, "state.running"));
	cr_expect_eq(sw_json_int(c, "lastState.terminated.exitCode", 0), 1);
	kw_play(&w, "+10s +19s");
	cr_expect_str_eq(sw_json_str(w.pod, "status.phase"), "Running");
	cr_expect_eq(sim_pod_restarts(w.pod), 1);
	kw_play(&w, "+1s");
	cr_expect_eq(sim_pod_restarts(w.pod), 2);
	json_object_put(w.pod);
	json_object_put(w.node);
}

Test(node, what_a_pod_prints)
{
	static const struct {
		const char *annotations;
		size_t n;
		const char *first;
	} rows[] = {
		{"", 12, "p: on node n (-), GPUs: 0, index: -1"}, {"'sim.spillway.dev/log':'3.14'", 1, "3.14"},
		{"'sim.spillway.dev/log':'a\\nb\\n'", 2, "a"},    {"'sim.spillway.dev/log':''", 0, ""},
		{"'sim.spillway.dev/log':'\\n\\nx'", 3, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kubelet_world w;
		json_t *lines;

		kw_open(&w, rows[i].annotations, "Never");
		lines = sim_pod_lines(w.pod, w.node);
		cr_expect_eq(sw_json_len(lines), rows[i].n, "%s", rows[i].annotations);
		if (rows[i].n)
			cr_expect_str_eq(json_object_get_string(sw_json_idx(lines, 0)), rows[i].first);
		json_object_put(lines);
		json_object_put(w.pod);
		json_object_put(w.node);
	}
}
