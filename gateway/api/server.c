/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - libmicrohttpd inside the loop
 *
 * The daemon has no thread: its epoll descriptor is watched by the loop, and every turn that has
 * something for it calls MHD_run() once. Replies made outside that call resume their connections
 * and kick another turn.
 */
#include "api_priv.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "spillway/log.h"
#include "spillway/text.h"

enum { IDLE_TIMEOUT_S = 120, CONNECTIONS_MAX = 4096, CONNECTION_MEMORY = 48 << 10, HANGUP_TICKS = 5 };

/* ---- turns -------------------------------------------------------------------------- */

void api_later(struct sw_api *a, struct task *t)
{
	t->next = NULL;
	*a->tasks_end = t;
	a->tasks_end = &t->next;
	api_kick(a);
}

static void on_again(uv_idle_t *h);

void api_kick(struct sw_api *a)
{
	if (a->handles && !uv_is_closing((uv_handle_t *)&a->again))
		uv_idle_start(&a->again, on_again);
}

static void tasks_run(struct sw_api *a)
{
	uint64_t began = uv_hrtime();
	while (a->tasks) {
		struct task *t = a->tasks;
		a->tasks = t->next;
		if (!a->tasks)
			a->tasks_end = &a->tasks;
		t->run(t);
		if (a->tasks && sw_loop_slice_over(a->loop, began)) {
			api_kick(a);
			return;
		}
	}
}

static void on_wait(uv_timer_t *h);

static void daemon_run(struct sw_api *a)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	if (!a->mhd)
		return;
	MHD_run(a->mhd);
	if (MHD_get_timeout(a->mhd, &ms) != MHD_YES)
		uv_timer_stop(&a->wait);
	else if (ms == 0)
		api_kick(a);
	else
		uv_timer_start(&a->wait, on_wait, ms, 0);
}

static void api_turn(struct sw_api *a)
{
	sw_loop_doing(a->loop, "api: connections");
	daemon_run(a);
	sw_loop_doing(a->loop, "api: writes");
	tasks_run(a);
}

static void on_again(uv_idle_t *h)
{
	uv_idle_stop(h);
	api_turn(h->data);
}

static void on_wait(uv_timer_t *h)
{
	api_turn(h->data);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	(void)status, (void)events;
	api_turn(h->data);
}

/* A suspended connection is not watched by the daemon: look whether its client has gone. */
static void hangups_find(struct sw_api *a)
{
	struct pollfd one;
	for (struct request *q = a->requests; q; q = q->next) {
		if (!q->stream || !q->stream->parked)
			continue;
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
		one = (struct pollfd){.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
		if (poll(&one, 1, 0) == 1 && (one.revents & (POLLRDHUP | POLLHUP | POLLERR)))
			stream_break(q->stream);
	}
}

static void stalls_find(struct sw_api *a)
{
	uint64_t now = sw_loop_now(a->loop);
	for (struct request *q = a->requests; q; q = q->next) {
		struct stream *s = q->stream;
		if (s && s->drained && stream_pending(s) && !s->ended && now - s->moved_ms > API_STALL_MS)
			stream_break(s);
	}
}

static void on_tick(void *owner)
{
	struct sw_api *a = owner;
	sw_loop_doing(a->loop, "api: tick");
	a->ticks++;
	watchers_tick(a);
	stalls_find(a);
	if (a->ticks % HANGUP_TICKS == 0)
		hangups_find(a);
	if (a->ticks % 60 == 0)
		events_tick(a);
	sw_timer_in(a->tick, 1000);
}

/* ---- the listening socket ---------------------------------------------------------------- */

static struct sw_err listen_split(const char *listen, char host[256], char port[8])
{
	const char *colon = strrchr(listen, ':');
	size_t n = colon ? (size_t)(colon - listen) : 0;
	bool brackets = n >= 2 && listen[0] == '[' && listen[n - 1] == ']';
	if (brackets)
		n -= 2;
	size_t digits = colon ? strlen(colon + 1) : 0;
	if (n == 0 || n >= 256 || digits == 0 || digits > 5 || strspn(colon + 1, "0123456789") != digits)
		return sw_err(SW_E_INVALID,
			      "listen address \"%s\": expected HOST:PORT, such as 127.0.0.1:6443 or [::1]:0", listen);
	memcpy(host, listen + brackets, n);
	host[n] = '\0';
	memcpy(port, colon + 1, digits + 1);
	return SW_OK;
}

static int socket_listen(const struct addrinfo *ai)
{
	int on = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1024) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static char *url_of(const char *host, int port)
{
	return sw_asprintf(strchr(host, ':') ? "https://[%s]:%d" : "https://%s:%d", host, port);
}

static void url_make(struct sw_api *a, const char *host)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at = {.v6 = {0}};
	socklen_t n = sizeof(at);
	if (getsockname(a->listen_fd, &at.any, &n) == 0)
		a->port = ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
	bool everywhere = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
	if (everywhere)
		host = "127.0.0.1";
	a->url = url_of(host, a->port);
	a->public_url = url_of(everywhere && a->opt.hosts && a->opt.hosts[0] ? a->opt.hosts[0] : host, a->port);
}

static struct sw_err server_listen(struct sw_api *a)
{
	char host[256], port[8];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *ai = NULL;
	struct sw_err e = listen_split(a->opt.listen, host, port);
	if (sw_failed(e))
		return e;
	int rc = getaddrinfo(host, port, &hints, &ai);
	if (rc != 0)
		return sw_err(SW_E_INVALID, "listen address %s: %s", a->opt.listen, gai_strerror(rc));
	a->listen_fd = socket_listen(ai);
	if (a->listen_fd < 0)
		e = sw_err(SW_E_IO, "cannot listen on %s: %s", a->opt.listen, strerror(errno));
	else
		url_make(a, host);
	freeaddrinfo(ai);
	return e;
}

/* ---- the daemon ------------------------------------------------------------------------------ */

static void on_daemon_log(void *cls, const char *fmt, va_list ap)
{
	char text[300];
	(void)cls;
	if (!sw_log_on(SW_LOG_DEBUG))
		return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(text, sizeof(text), fmt, ap);
#pragma GCC diagnostic pop
	text[strcspn(text, "\n")] = '\0';
	sw_log(DEBUG, "api", "http daemon", "text=\"%s\"", text);
}

static struct sw_err daemon_start(struct sw_api *a)
{
	a->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
				  NULL, on_access, a, MHD_OPTION_EXTERNAL_LOGGER, on_daemon_log, a,
				  MHD_OPTION_LISTEN_SOCKET, a->listen_fd, MHD_OPTION_HTTPS_MEM_KEY, a->tls.key_pem,
				  MHD_OPTION_HTTPS_MEM_CERT, a->tls.cert_pem, MHD_OPTION_HTTPS_PRIORITIES,
				  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", MHD_OPTION_NOTIFY_COMPLETED,
				  on_completed, a, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
				  MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
	if (!a->mhd)
		return sw_err(SW_E_IO, "the HTTPS server on %s did not start; with -v its own message is logged",
			      a->opt.listen);
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(a->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || info->epoll_fd < 0)
		return sw_err(SW_E_UNSUPPORTED, "libmicrohttpd was built without epoll");
	uv_poll_init(sw_loop_uv(a->loop), &a->poll, info->epoll_fd);
	uv_timer_init(sw_loop_uv(a->loop), &a->wait);
	uv_idle_init(sw_loop_uv(a->loop), &a->again);
	a->poll.data = a->wait.data = a->again.data = a;
	a->handles = 3;
	uv_poll_start(&a->poll, UV_READABLE, on_poll);
	api_kick(a);
	return SW_OK;
}

static void daemon_stop(struct sw_api *a)
{
	if (!a->mhd)
		return;
	/* Replies that are ready go out; what still waits is cut off. */
	for (int i = 0; i < 3; i++)
		MHD_run(a->mhd);
	for (struct request *q = a->requests; q; q = q->next) {
		if (q->suspended)
			reply_status(q, sw_status(SW_REASON_UNAVAILABLE, "the server is shutting down"));
		if (q->stream)
			stream_end(q->stream);
	}
	for (int i = 0; i < 3; i++)
		MHD_run(a->mhd);
	MHD_stop_daemon(a->mhd);
	a->mhd = NULL;
	a->listen_fd = -1;
}

/* ---- new and free --------------------------------------------------------------------------------- */

static void api_metrics(struct sw_api *a, struct sw_metrics *reg)
{
	a->m_requests = sw_metric(reg, SW_COUNTER, "spillway_api_requests_total",
				  "Requests answered by the API server.", "verb,resource,code");
	a->m_seconds = sw_metric(reg, SW_HISTOGRAM, "spillway_api_request_seconds",
				 "Time from a request's headers to the end of its reply.", "verb");
	a->m_watchers = sw_metric(reg, SW_GAUGE, "spillway_api_watchers", "Open watches.", "");
}

static struct sw_err api_begin(struct sw_api *a)
{
	struct sw_store_options so = {.dir = a->dir, .ephemeral = a->opt.ephemeral, .metrics = a->opt.metrics};
	struct sw_err e = sw_schema_new(&a->schema);
	if (!sw_failed(e))
		e = sw_store_open(a->loop, &so, &a->store);
	if (!sw_failed(e))
		e = tls_load(a->dir, a->name, a->opt.hosts, &a->tls);
	if (!sw_failed(e))
		e = users_load(a);
	if (!sw_failed(e))
		e = sw_timer_new(a->loop, on_tick, a, &a->tick);
	if (!sw_failed(e))
		e = server_listen(a);
	if (!sw_failed(e))
		e = daemon_start(a);
	if (!sw_failed(e))
		e = gc_start(a);
	if (!sw_failed(e))
		e = events_start(a);
	return e;
}

struct sw_err sw_api_new(struct sw_loop *loop, const struct sw_api_options *opt, struct sw_api **out)
{
	struct sw_api *a = sw_calloc(1, sizeof(*a));
	*out = NULL;
	a->loop = loop;
	a->opt = *opt;
	a->name = sw_strdup(opt->name ? opt->name : "spillway");
	a->dir = sw_strdup(opt->dir);
	a->opt.listen = sw_strdup(opt->listen ? opt->listen : "127.0.0.1:6443");
	a->listen_fd = -1;
	a->tasks_end = &a->tasks;
	sw_buf_init(&a->scratch, SIZE_MAX);
	api_metrics(a, opt->metrics);
	struct sw_err e = api_begin(a);
	if (sw_failed(e)) {
		sw_api_free(a);
		return e;
	}
	a->opt.hosts = NULL; /* lent until here */
	sw_timer_in(a->tick, 1000);
	sw_log(INFO, "api", "listening", "name=%s url=%s dir=%s", a->name, a->url, a->dir);
	*out = a;
	return SW_OK;
}

static void docs_free(struct sw_api *a)
{
	while (a->docs) {
		struct doc *next = a->docs->next;
		free(a->docs->key);
		sw_bytes_unref(a->docs->body);
		free(a->docs);
		a->docs = next;
	}
}

static void api_release(struct sw_api *a)
{
	if (a->handles > 0 && --a->handles > 0)
		return;
	free((void *)(uintptr_t)a->opt.listen);
	free(a);
}

static void on_handle_closed(uv_handle_t *h)
{
	api_release(h->data);
}

void sw_api_free(struct sw_api *a)
{
	if (!a)
		return;
	a->closing = true;
	watchers_end(a);
	while (a->tasks)
		tasks_run(a);
	sw_store_close(a->store); /* runs what waits for a commit */
	while (a->tasks)
		tasks_run(a);
	daemon_stop(a);
	gc_stop(a);
	events_stop(a);
	if (a->listen_fd >= 0)
		close(a->listen_fd);
	sw_timer_free(a->tick);
	users_free(a);
	tls_free(&a->tls);
	sw_schema_free(a->schema);
	sw_buf_fini(&a->scratch);
	json_object_put(a->parsed_now);
	json_object_put(a->parsed_before);
	docs_free(a);
	free(a->url);
	free(a->public_url);
	free(a->name);
	free(a->dir);
	if (!a->handles) {
		api_release(a);
		return;
	}
	uv_close((uv_handle_t *)&a->poll, on_handle_closed);
	uv_close((uv_handle_t *)&a->wait, on_handle_closed);
	uv_close((uv_handle_t *)&a->again, on_handle_closed);
}

struct sw_store *sw_api_store(struct sw_api *a)
{
	return a->store;
}
int sw_api_port(const struct sw_api *a)
{
	return a->port;
}
const char *sw_api_url(const struct sw_api *a)
{
	return a->url;
}
