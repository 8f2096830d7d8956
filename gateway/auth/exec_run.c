/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_run.c - runs a credential plugin once
 *
 * No shell, no terminal, a process group of its own (so that what it started dies with it), bounded
 * output, a time limit. A run is over when the process has exited and both pipes are at their end (or a
 * second later), or at the time limit; the group is then killed in any case. Only standard error is ever quoted:
 * standard output holds the token.
 *
 * One outcome: the first failure noted wins (r->err), else the output decides.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "auth_priv.h"
#include "spillway/buf.h"
#include "spillway/text.h"

extern char **environ;

enum {
	EXEC_TIMEOUT_MS = 30 * 1000,
	EXEC_LINGER_MS = 1000,
	EXEC_OUTPUT_MAX = 1 << 20,
	EXEC_TAIL = 160,
	EXEC_REAP_MS = 50
};

struct exec_run {
	struct sw_loop *loop;
	const struct exec_spec *spec; /* lent: the kubeconfig outlives its runs */
	exec_done_fn *done;           /* NULL once told or cancelled */
	void *owner;
	uv_process_t process;
	uv_pipe_t out, err_pipe;
	struct sw_timer *limit; /* the time limit; also tells a spawn failure later */
	struct sw_buf text;
	char tail[EXEC_TAIL + 1]; /* the end of standard error */
	size_t tail_len;
	struct sw_err err;
	bool spawned, exited, closing;
	int open_pipes, open_handles;
	int64_t exit_status;
	int signal;
};

/* ---- the end --------------------------------------------------------------------- */

static void run_free(struct exec_run *r)
{
	if (r->text.at)
		explicit_bzero(r->text.at, r->text.len);
	sw_buf_fini(&r->text);
	sw_timer_free(r->limit);
	free(r);
}

static void on_closed(uv_handle_t *h)
{
	struct exec_run *r = h->data;

	if (--r->open_handles == 0)
		run_free(r);
}

static void run_kill(struct exec_run *r)
{
	if (r->spawned && r->process.pid > 0)
		kill(-r->process.pid, SIGKILL); /* ESRCH: all gone already */
}

static void run_close(struct exec_run *r)
{
	if (r->closing)
		return;
	r->closing = true;
	run_kill(r);
	sw_timer_stop(r->limit);
	uv_close((uv_handle_t *)&r->process, on_closed);
	uv_close((uv_handle_t *)&r->out, on_closed);
	uv_close((uv_handle_t *)&r->err_pipe, on_closed);
}

/* One line of what the plugin complained about, printable. */
static const char *tail_text(struct exec_run *r)
{
	for (size_t i = 0; i < r->tail_len; i++) {
		if ((unsigned char)r->tail[i] < ' ')
			r->tail[i] = ' ';
	}
	while (r->tail_len > 0 && r->tail[r->tail_len - 1] == ' ')
		r->tail_len--;
	r->tail[r->tail_len] = '\0';
	return r->tail_len > 0 ? r->tail : "nothing";
}

static struct sw_err run_outcome(struct exec_run *r, struct exec_result *result)
{
	const char *command = r->spec->command;

	if (sw_failed(r->err))
		return r->err;
	if (r->signal)
		return sw_err(SW_E_AUTH, "exec plugin %s: killed by signal %d; it said: %s", command, r->signal,
			      tail_text(r));
	if (r->exit_status != 0)
		return sw_err(SW_E_AUTH, "exec plugin %s: exit status %d, expected 0; it said: %s", command,
			      (int)r->exit_status, tail_text(r));
	return exec_reply_parse(r->spec, r->text.len ? r->text.at : "", r->text.len, result);
}

static void run_finish(struct exec_run *r)
{
	struct exec_result result = {.expires_ms = -1};
	exec_done_fn *done = r->done;
	struct sw_err e;

	r->done = NULL;
	if (!done || r->closing)
		return;
	e = run_outcome(r, &result);
	run_close(r);
	done(r->owner, e, &result);
	exec_result_fini(&result);
}

static void run_step(struct exec_run *r)
{
	if (r->exited && (r->open_pipes == 0 || sw_failed(r->err)))
		run_finish(r);
}

/* Told when the killed process has been reaped. */
static void run_fail(struct exec_run *r, struct sw_err e)
{
	if (!sw_failed(r->err))
		r->err = e;
	run_kill(r);
	run_step(r);
}

/* ---- events ------------------------------------------------------------------------ */

static void on_exit_status(uv_process_t *p, int64_t status, int sig)
{
	struct exec_run *r = p->data;

	r->exited = true;
	r->exit_status = status;
	r->signal = sig;
	sw_timer_in(r->limit, EXEC_LINGER_MS); /* what it started may hold the pipes open */
	run_step(r);
}

static void on_limit(void *arg)
{
	struct exec_run *r = arg;

	if (!r->spawned || r->exited) { /* a failed start, told now and not from inside start; or pipes that linger */
		run_finish(r);
		return;
	}
	run_fail(r, sw_err(SW_E_AUTH, "exec plugin %s: not done after %d s: stopped; it said: %s", r->spec->command,
			   EXEC_TIMEOUT_MS / 1000, tail_text(r)));
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
	struct exec_run *r = h->data;
	char *room;

	(void)hint;
	if (h == (uv_handle_t *)&r->err_pipe) {
		if (r->tail_len == EXEC_TAIL) { /* keep the newer half */
			memmove(r->tail, r->tail + EXEC_TAIL / 2, EXEC_TAIL / 2);
			r->tail_len = EXEC_TAIL / 2;
		}
		*b = uv_buf_init(r->tail + r->tail_len, (unsigned)(EXEC_TAIL - r->tail_len));
		return;
	}
	room = sw_buf_room(&r->text, 4096);
	*b = uv_buf_init(room, room ? 4096 : 0);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct exec_run *r = s->data;

	(void)b;
	if (n >= 0) {
		if (s == (uv_stream_t *)&r->err_pipe)
			r->tail_len += (size_t)n;
		else
			sw_buf_grew(&r->text, (size_t)n);
		return;
	}
	uv_read_stop(s);
	r->open_pipes--;
	if (n == UV_ENOBUFS)
		run_fail(r, sw_err(SW_E_AUTH, "exec plugin %s: printed more than %d bytes: stopped", r->spec->command,
				   EXEC_OUTPUT_MAX));
	else
		run_step(r);
}

/* ---- the start ---------------------------------------------------------------------- */

/* Ours, what the kubeconfig adds, and the request: later ones win. */
static char **environment(const struct exec_spec *x, char *info)
{
	size_t n = 0, m = 0, at = 0;
	char **env;

	while (environ[n])
		n++;
	while (x->env[m])
		m++;
	env = sw_calloc(n + m + 2, sizeof *env);
	for (size_t i = 0; i < n; i++) {
		size_t name = strcspn(environ[i], "=") + 1;
		bool replaced = strncmp(environ[i], "KUBERNETES_EXEC_INFO=", name) == 0;
		for (size_t j = 0; j < m && !replaced; j++)
			replaced = strncmp(environ[i], x->env[j], name) == 0;
		if (!replaced)
			env[at++] = environ[i];
	}
	for (size_t j = 0; j < m; j++)
		env[at++] = x->env[j];
	env[at] = info;
	return env;
}

static struct sw_err spawn_error(const struct exec_spec *x, int rc)
{
	if (rc == UV_ENOENT)
		return sw_err(SW_E_AUTH, "exec plugin %s: not found%s; %s", x->command,
			      strchr(x->command, '/') ? "" : " in PATH",
			      x->install_hint ? x->install_hint : "install it on this machine, or use a token");
	return sw_err(SW_E_AUTH, "exec plugin %s: cannot be run: %s", x->command, uv_strerror(rc));
}

static int run_spawn(struct exec_run *r, const char *info)
{
	uv_stdio_container_t io[3] = {
		{.flags = UV_IGNORE},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&r->out},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&r->err_pipe}};
	char *line = sw_asprintf("KUBERNETES_EXEC_INFO=%s", info), **env = environment(r->spec, line);
	uv_process_options_t opt = {.exit_cb = on_exit_status,
				    .file = r->spec->command,
				    .args = r->spec->argv,
				    .env = env,
				    .flags = UV_PROCESS_DETACHED,
				    .stdio_count = 3,
				    .stdio = io};
	int rc = uv_spawn(sw_loop_uv(r->loop), &r->process, &opt);

	free(env);
	free(line);
	return rc;
}

struct sw_err exec_run_start(struct sw_loop *loop, const struct exec_spec *x, const char *info, exec_done_fn *done,
			     void *owner, struct exec_run **out)
{
	struct exec_run *r = sw_calloc(1, sizeof *r);
	struct sw_err e = sw_timer_new(loop, on_limit, r, &r->limit);
	int rc;

	*out = NULL;
	if (sw_failed(e)) {
		free(r);
		return e;
	}
	r->loop = loop;
	r->spec = x;
	r->done = done;
	r->owner = owner;
	r->open_handles = 3;
	sw_buf_init(&r->text, EXEC_OUTPUT_MAX);
	uv_pipe_init(sw_loop_uv(loop), &r->out, 0);
	uv_pipe_init(sw_loop_uv(loop), &r->err_pipe, 0);
	r->process.data = r->out.data = r->err_pipe.data = r;
	rc = run_spawn(r, info);
	r->spawned = rc == 0;
	if (rc == 0) {
		r->open_pipes = 2;
		uv_read_start((uv_stream_t *)&r->out, on_alloc, on_read);
		uv_read_start((uv_stream_t *)&r->err_pipe, on_alloc, on_read);
	} else {
		r->err = spawn_error(x, rc);
	}
	sw_timer_in(r->limit, rc == 0 ? EXEC_TIMEOUT_MS : 0);
	*out = r;
	return SW_OK;
}

/* libuv does not reap a process whose handle is closed: wait for the killed one here, not for long. */
static void run_reap(struct exec_run *r)
{
	struct pollfd gone = {.fd = pidfd_open(r->process.pid, 0), .events = POLLIN}; /* -1: poll waits the time out */

	if (waitpid(r->process.pid, NULL, WNOHANG) == 0 && poll(&gone, 1, EXEC_REAP_MS) >= 0)
		waitpid(r->process.pid, NULL, WNOHANG);
	if (gone.fd >= 0)
		close(gone.fd);
}

void exec_run_cancel(struct exec_run *r)
{
	bool running;

	if (!r || r->closing)
		return;
	r->done = NULL;
	running = r->spawned && !r->exited;
	run_close(r);
	if (running)
		run_reap(r);
}
