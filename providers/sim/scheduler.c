/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.c - binds waiting pods to nodes, oldest first
 *
 * One pass looks at every node and every waiting pod. Among the nodes that fit, the one with the least left
 * wins (GPUs first, then CPUs), so that gangs find whole nodes free; a pod without GPUs avoids nodes with them.
 * A binding pins the pod (SIM_KUBELET) until its containers have ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim_priv.h"
#include "spillway/text.h"

struct place {
	struct sim_object *node;
	struct sim_load room;
};
struct pass {
	struct sw_sim *s;
	struct place *places;
	size_t n_places;
	struct sim_object **pods;
	size_t n_pods;
};

static int by_birth(const void *a, const void *b)
{
	const struct sim_object *x = *(struct sim_object *const *)a, *y = *(struct sim_object *const *)b;

	return (x->born > y->born) - (x->born < y->born);
}

static struct place *place_of(struct pass *p, const char *node)
{
	for (size_t i = 0; i < p->n_places; i++)
		if (strcmp(sw_json_str(p->places[i].node->o, "metadata.name"), node) == 0)
			return &p->places[i];
	return NULL;
}

/* Room on every node, and who waits. */
static void look(struct pass *p)
{
	size_t n = HASH_COUNT(p->s->objects);
	struct sim_object *x, *tmp;

	p->places = sw_calloc(n + 1, sizeof(p->places[0]));
	p->pods = sw_calloc(n + 1, sizeof(p->pods[0]));
	HASH_ITER(hh, p->s->objects, x, tmp)
	if (x->kind == SIM_NODE && !x->deleting) {
		p->places[p->n_places].node = x;
		sim_load_of_node(x->o, &p->places[p->n_places++].room);
	}
	HASH_ITER(hh, p->s->objects, x, tmp)
	{
		struct place *at;

		if (x->kind != SIM_POD || x->phase >= SIM_SUCCEEDED)
			continue;
		at = x->node ? place_of(p, x->node) : NULL;
		if (at)
			sim_load_take(&at->room, &x->asks, -1);
		else if (!x->node && !x->deleting)
			p->pods[p->n_pods++] = x;
	}
	qsort(p->pods, p->n_pods, sizeof(p->pods[0]), by_birth);
}

static int64_t gpus(const struct sim_load *l)
{
	return sim_load_get(l, "nvidia.com/gpu") + sim_load_get(l, "amd.com/gpu");
}

/* Is a better than b? */
static bool tighter(const struct place *a, const struct place *b)
{
	int64_t ga = gpus(&a->room), gb = gpus(&b->room), ca = sim_load_get(&a->room, "cpu"),
		cb = sim_load_get(&b->room, "cpu");

	if (ga != gb)
		return ga < gb;
	if (ca != cb)
		return ca < cb;
	return strcmp(a->node->key, b->node->key) < 0;
}

struct reason {
	char text[160];
	unsigned n;
};

static void count_reason(struct reason *list, size_t *n, const char *why)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(list[i].text, why) == 0) {
			list[i].n++;
			return;
		}
	if (*n == 8)
		return;
	snprintf(list[*n].text, sizeof(list[*n].text), "%s", why);
	list[(*n)++].n = 1;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct reason *)a)->text, ((const struct reason *)b)->text);
}

/* FitError.Error(): "0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 node(s) ...." */
static void set_unschedulable(struct pass *p, struct sim_round *rd, struct sim_object *pod, struct reason *list,
			      size_t n)
{
	const char *old = sw_json_str(sw_json_condition(pod->o, "PodScheduled"), "message");
	json_t *holder = json_object_new_object();
	char now[32];
	struct sw_buf b;

	qsort(list, n, sizeof(*list), by_text);
	sw_buf_init(&b, 4096);
	sw_buf_printf(&b, "0/%zu nodes are available:", p->n_places);
	for (size_t i = 0; i < n; i++)
		sw_buf_printf(&b, "%s %u %s", i ? "," : "", list[i].n, list[i].text);
	sw_buf_puts(&b, n ? "." : " no nodes.");
	if (sw_buf_ok(&b) && !(old && strcmp(old, b.at) == 0)) {
		sw_json_set(holder, "status",
			    sw_json_at(pod->o, "status") ? sw_json_copy(sw_json_at(pod->o, "status"))
							 : json_object_new_object());
		if (!sw_json_str(holder, "status.phase"))
			sw_json_set_str(holder, "status.phase", "Pending");
		sw_json_set_condition(holder, "PodScheduled", false, "Unschedulable", b.at,
				      sw_time_text(sw_loop_wall(p->s->loop), now));
		sim_round_status(rd, "pods", pod->o, sw_json_at(holder, "status"));
		sw_api_event(p->s->api, "pods", pod->o, true, "FailedScheduling", b.at);
	}
	sw_buf_fini(&b);
	json_object_put(holder);
}

static void bind_pod(struct pass *p, struct sim_round *rd, struct sim_object *pod, struct place *to)
{
	json_t *copy = sw_json_copy(pod->o), *finalizers;
	const char *node = sw_json_str(to->node->o, "metadata.name");
	char message[400];

	sw_json_set_str(copy, "spec.nodeName", node);
	finalizers = sw_json_at(copy, "metadata.finalizers");
	if (!finalizers) {
		finalizers = json_object_new_array();
		sw_json_set(copy, "metadata.finalizers", finalizers);
	}
	json_object_array_add(finalizers, json_object_new_string(SIM_KUBELET));
	sim_round_update(rd, "pods", copy, NULL);
	json_object_put(copy);
	sim_load_take(&to->room, &pod->asks, -1);
	snprintf(message, sizeof(message), "Successfully assigned %s to %s", sim_key(pod), node);
	sw_api_event(p->s->api, "pods", pod->o, false, "Scheduled", message);
}

static void schedule_pod(struct pass *p, struct sim_round *rd, struct sim_object *pod)
{
	struct reason reasons[8];
	struct place *best = NULL;
	size_t n = 0;
	char buf[160];

	for (size_t i = 0; i < p->n_places; i++) {
		struct place *at = &p->places[i];
		const char *why = sim_misfit(pod->o, &pod->asks, at->node->o, &at->room, buf);

		if (why)
			count_reason(reasons, &n, why);
		else if (!best || tighter(at, best))
			best = at;
	}
	if (best)
		bind_pod(p, rd, pod, best);
	else
		set_unschedulable(p, rd, pod, reasons, n);
}

void sim_schedule(void *owner, const char *key)
{
	struct sw_sim *s = owner;
	struct pass p = {.s = s};
	struct sim_round *rd = sim_round_begin(s, s->scheduler, key);

	look(&p);
	for (size_t i = 0; i < p.n_pods; i++)
		schedule_pod(&p, rd, p.pods[i]);
	sim_round_end(rd, 0);
	free(p.places);
	free(p.pods);
}
