/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cred.c - keeps the credentials of one kubeconfig fresh
 *
 * Three sources: what the kubeconfig holds, files (looked at once a second, read again when their
 * mtime, inode or size changed; the last good text is kept while a file is being replaced), and an exec
 * plugin (run when its answer is missing, expires soon or was rejected). `version` counts changes, so
 * that a client can tell whether trying again can help.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "auth_priv.h"
#include "pem.h"
#include "spillway/log.h"
#include "spillway/text.h"

enum {
	CRED_LOOK_MS = 1000,        /* files */
	CRED_EARLY_MS = 30 * 1000,  /* a token is renewed this long before it expires, or at 9/10 of its life */
	CRED_REJECT_MS = 10 * 1000, /* a rejected plugin answer younger than this is kept */
	CRED_FAILED_MS = 5 * 1000,  /* a failed run's error stands this long */
};

/* One file, or a fixed text (path NULL). */
struct secret_file {
	const char *path; /* lent from the kubeconfig */
	char *text;
	struct timespec mtime;
	ino_t ino;
	off_t size;
};

struct sw_cred_wait {
	struct sw_cred *cred; /* NULL while its callback runs */
	struct sw_cred_wait *next, **link;
	sw_cred_fn *done;
	void *owner;
};

struct sw_cred {
	struct sw_loop *loop;
	const struct sw_kubeconfig *kc;
	struct secret_file token, ca, cert, key;
	uint64_t looked_ms; /* at the files */
	bool looked;
	struct sw_err files; /* what is wrong with them */
	struct exec_run *run;
	struct exec_result plugin;
	int64_t got_wall_ms;
	bool has_plugin;
	uint64_t ran_ms, failed_ms;
	struct sw_err failure; /* of the last run; OK if none */
	char *authorization;
	uint64_t version;
	struct sw_cred_wait *waits, *telling;
	bool is_telling, freed; /* freed from inside a callback: the outer frame does it */
	struct sw_timer *soon;
};

/* ---- files ------------------------------------------------------------------------ */

static void secret_set(char **at, char *text_taken)
{
	if (*at)
		explicit_bzero(*at, strlen(*at));
	free(*at);
	*at = text_taken;
}

static char *trimmed(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && strchr(" \t\r\n", s[n - 1]))
		s[--n] = '\0';
	memmove(s, s + strspn(s, " \t\r\n"), n - strspn(s, " \t\r\n") + 1);
	return s;
}

static bool file_is_same(const struct secret_file *f, const struct stat *st)
{
	return f->text && f->ino == st->st_ino && f->size == st->st_size && f->mtime.tv_sec == st->st_mtim.tv_sec &&
	       f->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

/* gives the new text in *fresh when it changed, and notes what was seen. */
static struct sw_err file_look(struct secret_file *f, struct stat *st, char **fresh)
{
	struct sw_err e;
	size_t len = 0;

	*fresh = NULL;
	if (!f->path)
		return SW_OK;
	if (stat(f->path, st) == 0 && file_is_same(f, st))
		return SW_OK;
	e = sw_file_read(f->path, AUTH_FILE_MAX, fresh, &len);
	if (!sw_failed(e) && (strlen(*fresh) != len || !*trimmed(*fresh))) {
		e = sw_err(SW_E_IO, "%s: found an empty file or NUL bytes, expected text", f->path);
		free(*fresh);
		*fresh = NULL;
	}
	return e;
}

static void file_took(struct secret_file *f, const struct stat *st, char *fresh)
{
	secret_set(&f->text, fresh);
	f->mtime = st->st_mtim;
	f->ino = st->st_ino;
	f->size = st->st_size;
}

static struct sw_err single_refresh(struct sw_cred *c, struct secret_file *f, bool is_pem)
{
	struct stat st = {.st_ino = 0};
	char *fresh;
	struct sw_err e = file_look(f, &st, &fresh);

	if (!sw_failed(e) && fresh && is_pem)
		e = pem_check_certs(f->path, fresh);
	if (!sw_failed(e) && fresh && !is_pem && strpbrk(fresh, "\r\n"))
		e = sw_err(SW_E_IO, "%s: found more than one line, expected a token", f->path);
	if (sw_failed(e) || !fresh) {
		free(fresh);
		return e;
	}
	file_took(f, &st, fresh);
	c->version++;
	return SW_OK;
}

/* Certificate and key are replaced one after the other: a pair that does not fit yet is left alone. */
static struct sw_err pair_refresh(struct sw_cred *c)
{
	struct stat cert_st = {.st_ino = 0}, key_st = {.st_ino = 0};
	char *cert = NULL, *key = NULL;
	struct sw_err e = file_look(&c->cert, &cert_st, &cert);

	if (!sw_failed(e))
		e = file_look(&c->key, &key_st, &key);
	if (!sw_failed(e) && (cert || key)) {
		e = pem_check_pair(c->cert.path ? c->cert.path : c->key.path, cert ? cert : c->cert.text,
				   key ? key : c->key.text);
		if (!sw_failed(e)) {
			if (cert)
				file_took(&c->cert, &cert_st, cert);
			if (key)
				file_took(&c->key, &key_st, key);
			c->version++;
			return SW_OK;
		}
	}
	free(cert);
	free(key);
	return e;
}

static bool files_usable(const struct sw_cred *c)
{
	return (!c->token.path || c->token.text) && (!c->ca.path || c->ca.text) && (!c->cert.path || c->cert.text) &&
	       (!c->key.path || c->key.text);
}

/* An error only counts while there is no last good text; it is logged when it is news. */
static void files_note(struct sw_cred *c, struct sw_err e)
{
	if (sw_failed(e) && strcmp(e.text, c->files.text) != 0)
		sw_log(WARN, "auth", "credential file cannot be used", "kubeconfig=\"%s\" error=\"%s\" kept=%s",
		       c->kc->name, e.text, files_usable(c) ? "the last good one" : "none");
	c->files = e;
	if (sw_failed(e))
		c->files.code = SW_E_IO; /* whatever it is, somebody may put it right: try again */
}

static void files_refresh(struct sw_cred *c, bool force)
{
	uint64_t now = sw_loop_now(c->loop);
	struct sw_err e, first;

	if (!force && c->looked && now - c->looked_ms < CRED_LOOK_MS)
		return;
	c->looked = true;
	c->looked_ms = now;
	first = single_refresh(c, &c->token, false);
	e = single_refresh(c, &c->ca, true);
	if (!sw_failed(first))
		first = e;
	e = pair_refresh(c);
	if (!sw_failed(first))
		first = e;
	files_note(c, first);
}

/* ---- the plugin --------------------------------------------------------------------- */

static bool plugin_is_fresh(const struct sw_cred *c)
{
	int64_t life, early;

	if (!c->has_plugin)
		return false;
	if (c->plugin.expires_ms < 0)
		return true;
	life = c->plugin.expires_ms - c->got_wall_ms;
	early = life / 10 < CRED_EARLY_MS ? life / 10 : CRED_EARLY_MS;
	return sw_loop_wall(c->loop) < c->plugin.expires_ms - early;
}

static bool failure_stands(const struct sw_cred *c)
{
	return sw_failed(c->failure) && sw_loop_now(c->loop) - c->failed_ms < CRED_FAILED_MS;
}

/* Due for renewal, which has just failed, but good for a while yet. */
static bool plugin_will_do(const struct sw_cred *c)
{
	return c->has_plugin && failure_stands(c) && sw_loop_wall(c->loop) < c->plugin.expires_ms;
}

static void plugin_failed(struct sw_cred *c, struct sw_err e)
{
	c->failure = e;
	c->failed_ms = sw_loop_now(c->loop);
	sw_log(WARN, "auth", "credential plugin failed", "kubeconfig=\"%s\" error=\"%s\"", c->kc->name, e.text);
}

static void on_plugin(void *owner, struct sw_err err, struct exec_result *result)
{
	struct sw_cred *c = owner;

	c->run = NULL;
	c->failure = SW_OK;
	if (sw_failed(err)) {
		plugin_failed(c, err);
	} else {
		exec_result_fini(&c->plugin);
		c->plugin = *result;
		*result = (struct exec_result){.expires_ms = -1};
		c->has_plugin = true;
		c->got_wall_ms = sw_loop_wall(c->loop);
		c->version++;
		if (!plugin_is_fresh(c))
			plugin_failed(c, sw_err(SW_E_AUTH,
						"exec plugin %s: gave a credential that has expired already: expected "
						"one for the future (or the clock of this machine is wrong)",
						c->kc->exec->command));
	}
	sw_timer_in(c->soon, 0);
}

static void plugin_start(struct sw_cred *c)
{
	char *info = exec_spec_info(c->kc, c->ca.text);
	struct sw_err e = exec_run_start(c->loop, c->kc->exec, info, on_plugin, c, &c->run);

	free(info);
	c->ran_ms = sw_loop_now(c->loop);
	if (sw_failed(e))
		plugin_failed(c, e);
}

/* ---- what goes with a request ---------------------------------------------------------- */

static char *basic_header(const char *user, const char *password)
{
	char *pair = sw_asprintf("%s:%s", user, password ? password : ""), *base64 = sw_base64(pair, strlen(pair)),
	     *out;

	out = sw_asprintf("Basic %s", base64);
	secret_set(&pair, NULL);
	secret_set(&base64, NULL);
	return out;
}

static char *header_now(const struct sw_cred *c)
{
	const struct sw_kubeconfig *kc = c->kc;

	if (c->token.text)
		return sw_asprintf("Bearer %s", c->token.text);
	if (kc->username)
		return basic_header(kc->username, kc->password);
	if (c->has_plugin && c->plugin.token)
		return sw_asprintf("Bearer %s", c->plugin.token);
	return NULL;
}

static void now_fill(struct sw_cred *c, struct sw_cred_now *now)
{
	secret_set(&c->authorization, header_now(c));
	*now = (struct sw_cred_now){.authorization = c->authorization,
				    .tls = {.ca_pem = c->ca.text,
					    .cert_pem = c->cert.text,
					    .key_pem = c->key.text,
					    .server_name = c->kc->tls_server_name,
					    .insecure = c->kc->insecure},
				    .proxy_url = c->kc->proxy_url,
				    .version = c->version};
	if (c->has_plugin && c->plugin.cert) {
		now->tls.cert_pem = c->plugin.cert;
		now->tls.key_pem = c->plugin.key;
	}
}

bool sw_cred_ready(struct sw_cred *c, struct sw_cred_now *now)
{
	files_refresh(c, false);
	if (!files_usable(c) || (c->kc->exec && !plugin_is_fresh(c) && !plugin_will_do(c)))
		return false;
	now_fill(c, now);
	return true;
}

/* ---- waiters ------------------------------------------------------------------------------ */

static void wait_unlink(struct sw_cred_wait *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
}

/* The first of a list that is not empty. */
static struct sw_cred_wait *wait_take(struct sw_cred_wait **list)
{
	struct sw_cred_wait *w = *list;

	*list = w->next;
	if (w->next)
		w->next->link = list;
	return w;
}

/* Callbacks may add waiters (for the next round), cancel others, ask for credentials and free the cred. */
static void waits_tell(struct sw_cred *c, struct sw_err e)
{
	c->telling = c->waits;
	c->waits = NULL;
	if (c->telling)
		c->telling->link = &c->telling;
	c->is_telling = true;
	while (c->telling) {
		struct sw_cred_wait *w = wait_take(&c->telling);
		struct sw_cred_now now = {.version = c->version};
		if (!sw_failed(e))
			now_fill(c, &now);
		w->cred = NULL;
		w->done(w->owner, e, &now);
		free(w);
	}
	c->is_telling = false;
	if (c->freed)
		sw_cred_free(c);
}

static void on_soon(void *arg)
{
	struct sw_cred *c = arg;
	struct sw_cred_now now;

	if (c->run || !c->waits)
		return;
	if (sw_cred_ready(c, &now)) {
		waits_tell(c, SW_OK);
		return;
	}
	if (files_usable(c) && !failure_stands(c)) {
		plugin_start(c);
		if (c->run)
			return;
	}
	waits_tell(c, files_usable(c) ? c->failure : c->files);
}

struct sw_err sw_cred_get(struct sw_cred *c, sw_cred_fn *done, void *owner, struct sw_cred_wait **out)
{
	struct sw_cred_wait *w = sw_calloc(1, sizeof *w);

	w->cred = c;
	w->done = done;
	w->owner = owner;
	w->next = c->waits;
	w->link = &c->waits;
	if (w->next)
		w->next->link = &w->next;
	c->waits = w;
	if (!c->run)
		sw_timer_in(c->soon, 0);
	*out = w;
	return SW_OK;
}

void sw_cred_cancel(struct sw_cred_wait *w)
{
	if (!w || !w->cred)
		return; /* being told already */
	wait_unlink(w);
	free(w);
}

void sw_cred_rejected(struct sw_cred *c)
{
	uint64_t now = sw_loop_now(c->loop);

	files_refresh(c, true);
	if (c->has_plugin && !c->run && now - c->ran_ms >= CRED_REJECT_MS)
		c->has_plugin = false;
}

/* ---- life ---------------------------------------------------------------------------------- */

struct sw_err sw_cred_new(struct sw_loop *loop, const struct sw_kubeconfig *kc, struct sw_cred **out)
{
	struct sw_cred *c = sw_calloc(1, sizeof *c);
	struct sw_err e;

	*out = NULL;
	c->loop = loop;
	c->kc = kc;
	c->plugin.expires_ms = -1;
	c->version = 1;
	c->token = (struct secret_file){.path = kc->token_file, .text = sw_strdup(kc->token_file ? NULL : kc->token)};
	c->ca = (struct secret_file){.path = kc->ca.path, .text = sw_strdup(kc->ca.data)};
	c->cert = (struct secret_file){.path = kc->cert.path, .text = sw_strdup(kc->cert.data)};
	c->key = (struct secret_file){.path = kc->key.path, .text = sw_strdup(kc->key.data)};
	e = sw_timer_new(loop, on_soon, c, &c->soon);
	if (sw_failed(e))
		sw_cred_free(c);
	else
		*out = c;
	return e;
}

void sw_cred_free(struct sw_cred *c)
{
	if (!c)
		return;
	while (c->waits)
		free(wait_take(&c->waits));
	while (c->telling)
		free(wait_take(&c->telling));
	if (c->is_telling) {
		c->freed = true;
		return;
	}
	exec_run_cancel(c->run);
	exec_result_fini(&c->plugin);
	secret_set(&c->token.text, NULL);
	secret_set(&c->ca.text, NULL);
	secret_set(&c->cert.text, NULL);
	secret_set(&c->key.text, NULL);
	secret_set(&c->authorization, NULL);
	sw_timer_free(c->soon);
	free(c);
}
