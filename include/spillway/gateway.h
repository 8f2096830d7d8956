/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway.h - the rooms put together: what the daemon, the demo, the tests and the benchmarks start
 *
 *   sw_gateway_new(loop, &opt, &g);    // serves, connects to the workers, dispatches
 *   sw_loop_run(loop);
 *   sw_gateway_free(g);                // finishes commits, ends streams cleanly
 *
 * The first start makes an admin user and writes its kubeconfig to DATA_DIR/admin.kubeconfig (mode 0600).
 */
#ifndef SPILLWAY_GATEWAY_H
#define SPILLWAY_GATEWAY_H

#include "spillway/config.h"
#include "spillway/dispatch.h"
#include "spillway/loop.h"

struct sw_gateway;

/* config is lent and outlives the gateway. gives. */
__attribute__((warn_unused_result)) struct sw_err sw_gateway_new(struct sw_loop *loop, const struct sw_config *config,
								 struct sw_gateway **out);
void sw_gateway_free(struct sw_gateway *g); /* NULL is fine */

/* Reads the policies and the catalog's files again. Soon, each policy whose calls with made-up inputs and tests go well
 * decides, and so do tables without an error; what is not good is refused in the log, and the last good one stays. The
 * same happens by itself when one of the files changes. */
void sw_gateway_reload(struct sw_gateway *g);

/* The loop was stopped because this process, which led, lost its lease: it must end and start afresh. */
bool sw_gateway_lost(const struct sw_gateway *g);
const char *sw_gateway_url(const struct sw_gateway *g);
const char *sw_gateway_kubeconfig(const struct sw_gateway *g); /* path of the admin's */
struct sw_manager *sw_gateway_manager(struct sw_gateway *g);   /* lent */
struct sw_dispatch *sw_gateway_dispatch(struct sw_gateway *g); /* lent */
struct sw_http *sw_gateway_http(struct sw_gateway *g);         /* lent */

#endif
