/* SPDX-License-Identifier: Apache-2.0 */
/* info.c - what is not an object: discovery, OpenAPI, /version, health, metrics */
#include "api_priv.h"

#include <string.h>
#include <sys/utsname.h>
#include "spillway/discovery.h"
#include "spillway/text.h"

/* The Kubernetes whose API this is: clients look at the numbers. */
#define KUBERNETES_MAJOR   "1"
#define KUBERNETES_MINOR   "36"
#define KUBERNETES_VERSION "v1.36.1"

/* ---- documents made once ------------------------------------------------------------- */

static bool doc_write(struct sw_api *a, const struct route *rt, enum sw_discovery_form form, struct sw_buf *b)
{
	enum sw_serve serve = a->opt.serve;
	switch (rt->kind) {
	case ROUTE_API:
		sw_discovery_api(b, serve, form);
		return true;
	case ROUTE_APIS:
		sw_discovery_apis(b, serve, form);
		return true;
	case ROUTE_GROUP:
		return sw_discovery_group(b, serve, rt->group);
	case ROUTE_RESOURCES:
		return sw_discovery_resources(b, serve, rt->group, rt->version);
	case ROUTE_OPENAPI:
		sw_openapi_index(b, a->schema, serve);
		return true;
	case ROUTE_OPENAPI_GROUP:
		return sw_openapi_document(b, a->schema, serve, rt->group, rt->version);
	default:
		return false;
	}
}

static struct doc *doc_find(struct sw_api *a, const char *key)
{
	struct doc *d = a->docs;
	while (d && strcmp(d->key, key) != 0)
		d = d->next;
	return d;
}

static struct doc *doc_make(struct sw_api *a, const struct route *rt, enum sw_discovery_form form, const char *key)
{
	struct sw_buf b;
	struct doc *d = NULL;
	sw_buf_init(&b, SIZE_MAX);
	if (doc_write(a, rt, form, &b) && sw_buf_ok(&b)) {
		d = sw_calloc(1, sizeof(*d));
		d->key = sw_strdup(key);
		d->body = sw_bytes_new(b.at, b.len);
		d->next = a->docs;
		a->docs = d;
	}
	sw_buf_fini(&b);
	return d;
}

/* The texts depend on the server's role alone; there are few, and unknown ones are not kept. */
static void reply_doc(struct request *q)
{
	const struct route *rt = &q->route;
	enum sw_discovery_form form = SW_DISCOVERY_PLAIN;
	char key[200];
	if (rt->kind == ROUTE_API || rt->kind == ROUTE_APIS)
		form = sw_discovery_form(request_header(q, "Accept"));
	snprintf(key, sizeof(key), "%d %d %s %s", (int)rt->kind, (int)form, rt->group, rt->version);
	struct doc *d = doc_find(q->api, key);
	if (!d)
		d = doc_make(q->api, rt, form, key);
	if (!d)
		reply_status(q, sw_status_no_resource());
	else
		reply_text(q, 200, sw_discovery_content_type(form), d->body->at, d->body->len);
}

/* ---- small answers ----------------------------------------------------------------------- */

static void reply_version(struct request *q)
{
	struct utsname u;
	const char *machine = uname(&u) == 0 ? u.machine : "";
	const char *arch = strcmp(machine, "x86_64") == 0    ? "amd64"
			   : strcmp(machine, "aarch64") == 0 ? "arm64"
							     : machine;
	reply_json(
		q, 200,
		sw_json_fmt(
			"{\"major\":\"" KUBERNETES_MAJOR "\",\"minor\":\"" KUBERNETES_MINOR
			"\",\"gitVersion\":\"" KUBERNETES_VERSION
			"+spillway-%s\",\"gitCommit\":\"\",\"gitTreeState\":\"clean\",\"buildDate\":"
			"\"1970-01-01T00:00:00Z\",\"goVersion\":\"\",\"compiler\":\"gcc\",\"platform\":\"linux/%s\"}",
			SW_VERSION, arch));
}

static void reply_health(struct request *q)
{
	char why[128] = "", text[160];
	bool asks_ready = strncmp(q->path, "/readyz", 7) == 0;
	if (!asks_ready || !q->api->opt.ready || q->api->opt.ready(q->api->opt.owner, why)) {
		reply_text(q, 200, "text/plain; charset=utf-8", "ok", 2);
		return;
	}
	int n = snprintf(text, sizeof(text), "not ready: %s\n", why);
	reply_text(q, 503, "text/plain; charset=utf-8", text, (size_t)n);
}

static void reply_metrics(struct request *q)
{
	struct sw_buf b;
	sw_buf_init(&b, SIZE_MAX);
	if (q->api->opt.metrics)
		sw_metrics_text(q->api->opt.metrics, &b);
	else
		sw_buf_puts(&b, "");
	reply_buf(q, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

void handle_info(struct request *q)
{
	static const char missing[] = "404 page not found\n";
	switch (q->route.kind) {
	case ROUTE_VERSION:
		reply_version(q);
		break;
	case ROUTE_HEALTH:
		reply_health(q);
		break;
	case ROUTE_METRICS:
		reply_metrics(q);
		break;
	case ROUTE_PAGE:
		handle_page(q);
		break;
	case ROUTE_NONE:
		reply_text(q, 404, "text/plain; charset=utf-8", missing, sizeof(missing) - 1);
		break;
	default:
		reply_doc(q);
	}
}
