/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_priv.h - what gateway.c and its pages share */
#ifndef SPILLWAY_GATEWAY_PRIV_H
#define SPILLWAY_GATEWAY_PRIV_H

#include "spillway/embedded.h"
#include "spillway/gateway.h"
#include "spillway/nominate.h"

struct sw_gateway {
	struct sw_loop *loop;
	const struct sw_config *config;
	struct sw_http *http;
	struct sw_metrics *metrics;
	struct sw_catalog *catalog;
	struct tables *tables;
	struct policies *policies;
	struct clusters *clusters;
	struct multikueue *multikueue; /* NULL: not wanted */
	struct sw_cluster_set wanted;  /* by clusters.c, lent to dispatch or nominate */
	struct sw_policy *policy,
		*fallback; /* policy: lent by policies.c; fallback NULL: jobs are held while the policy fails */
	struct sw_decision_log *decisions;
	struct sw_manager *manager;
	struct sw_api *api;           /* our server: the embedded manager's, or one with pages only */
	bool lost;                    /* another gateway may lead: this process must end */
	struct sw_queue *queue;       /* the embedded manager's; NULL in other roles: there Kueue has it */
	struct sw_dispatch *dispatch; /* NULL in the nominate role */
	struct sw_nominate *nominate; /* in that role only */
	struct sw_timer *turns_timer;
	char *kubeconfig;
	struct live_log *logs; /* streams being proxied */
	struct marks *marks;   /* labelled LocalQueues; NULL outside the mirror role */
};

/* pages.c: GET /spillway/v1/... */
extern const struct sw_api_view gateway_views[];
extern const size_t gateway_n_views;
/* pages_nominate.c: of the nominate role, which has no dispatch */
extern const struct sw_api_view gateway_nominate_views[];
extern const size_t gateway_n_nominate_views;

/* roles.c: the manager that the configuration names, and the server beside it. */
struct sw_err gateway_open_manager(struct sw_gateway *g);
void gateway_close_manager(struct sw_gateway *g);

/* watch.c: settled is called some time after a file may have changed. */
struct watch;
struct sw_err gateway_watch_new(struct sw_loop *loop, void (*settled)(void *owner), void *owner, struct watch **out);
void gateway_watch_file(struct watch *w, const char *file);
void gateway_watch_again(struct watch *w, bool now); /* as if one had changed */
void gateway_watch_free(struct watch *w);

/* tables.c: the catalog */
__attribute__((warn_unused_result)) struct sw_err gateway_tables_open(struct sw_gateway *g);
void gateway_tables_reload(struct sw_gateway *g);
void gateway_tables_close(struct sw_gateway *g); /* after all that was lent the catalog */

/* clusters.c: those that are wanted, and how they come and go while the gateway runs */
__attribute__((warn_unused_result)) struct sw_err gateway_clusters_open(struct sw_gateway *g); /* before dispatch */
void gateway_clusters_reload(struct sw_gateway *g);
void gateway_clusters_close(struct sw_gateway *g); /* after it */
/* One that stands in no file: its kubeconfig. Said again with another text: new credentials. EXISTS: the configuration
 * has one of that name. take: it is wanted no more. */
struct sw_err gateway_clusters_put(struct sw_gateway *g, const char *name, const char *text, size_t len);
void gateway_clusters_take(struct sw_gateway *g, const char *name);

/* multikueue.c: those of the manager's MultiKueue */
struct sw_err gateway_open_multikueue(struct sw_gateway *g);
void gateway_close_multikueue(struct sw_gateway *g); /* before the manager's client */

/* An event that concerns no one job, where the manager shows such. */
void gateway_tell(struct sw_gateway *g, bool warning, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* policies.c */
__attribute__((warn_unused_result)) struct sw_err gateway_policies_open(struct sw_gateway *g);
void gateway_policies_rules(const struct sw_gateway *g, const struct sw_policy_rule **rules, size_t *n); /* lent */
void gateway_policies_close(struct sw_gateway *g); /* after dispatch */

/* marks.c: the admission webhook. */
struct sw_err gateway_open_marks(struct sw_gateway *g);
void gateway_close_marks(struct sw_gateway *g);
struct sw_err gateway_mark(void *owner, json_t *body, json_t **out);

/* May this user (a page's query says who) see the namespace? */
bool page_may_see(json_t *query, const char *ns);
json_t *page_items(json_t *list_taken); /* {"items": list} */

/* pages_logs.c */
struct sw_err gateway_page_pods(void *owner, json_t *query, json_t **out);
void gateway_page_logs(void *owner, json_t *query, struct sw_log_reply *r);

/* livelogs.c: pods/log of running pods, proxied from their workers. */
void gateway_log_live(void *owner, const struct sw_log_request *req, struct sw_log_reply *reply);
void gateway_log_stop(void *owner, struct sw_log_reply *reply);
void gateway_logs_init(struct sw_gateway *g);
void gateway_logs_fini(struct sw_gateway *g);

#endif
