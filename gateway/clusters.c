/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clusters.c - the worker clusters that are wanted, and how they come and go while the gateway runs
 *
 * Those of spillway.yaml stay as they are until a restart. Each file of clusters_dir is one more: its folder is
 * watched, and SIGHUP reads all of them again. A new file's cluster joins. A bad file is refused with file:line, and
 * what it said before holds. A file that is gone, or says something else, takes its cluster out: as soon as nothing of
 * ours is there, and until then it takes no new jobs if the file is gone. (Its kubeconfig is another matter: workers
 * read that again by themselves.)
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway_priv.h"
#include "spillway/text.h"

enum { AGAIN_MS = 1000 };

struct entry {
	char *path;                       /* of its file; NULL: spillway.yaml's, or given by multikueue.c */
	uint64_t stamp;                   /* of the file as last read */
	const struct sw_cluster_cfg *cfg; /* in force; NULL: none yet, its file is bad */
	struct sw_cluster_cfg *own;       /* cfg, if it is ours to free */
	struct sw_cluster_cfg *next;      /* what the file says now, taken over when nothing of ours is there */
	bool seen, leaving;
	char said[300]; /* why it is still there, said once */
};

struct clusters {
	struct sw_gateway *g;
	struct watch *watch;
	struct sw_timer *again; /* while somebody leaves */
	struct entry **at;
	size_t n;
	bool force;
	struct sw_metric *m_changes;
};

/* ---- the set ----------------------------------------------------------------------------- */

static struct entry *entry_new(struct clusters *c, const char *path)
{
	struct entry *e = sw_calloc(1, sizeof *e);
	c->at = realloc(c->at, (c->n + 1) * sizeof *c->at);
	SW_REQUIRE(c->at);
	c->at[c->n++] = e;
	e->path = path ? sw_strdup(path) : NULL;
	return e;
}

static void entry_free(struct entry *e)
{
	sw_cluster_free(e->own);
	sw_cluster_free(e->next);
	free(e->path);
	free(e);
}

static void set_make(struct clusters *c)
{
	struct sw_cluster_set *s = &c->g->wanted;
	free(s->at);
	s->at = sw_calloc(c->n + 1, sizeof *s->at);
	s->n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i]->cfg)
			s->at[s->n++] = c->at[i]->cfg;
}

static void say(struct clusters *c, const char *result, const char *reason, const char *name, const char *where)
{
	sw_metric_add(c->m_changes, 1, result);
	sw_log(INFO, "gateway", "a cluster", "cluster=%s what=%s where=%s", name, result, where);
	gateway_tell(c->g, false, reason, "Cluster %s %s (%s)", name, result, where);
}

static void refuse(struct clusters *c, const struct entry *e, struct sw_err err)
{
	const char *held = e->cfg ? e->cfg->name : "";
	sw_metric_add(c->m_changes, 1, "refused");
	sw_log(ERROR, "gateway", "a cluster's file is refused", "file=%s cluster=%s error=\"%s\"",
	       e->path ? e->path : "none", held, err.text);
	gateway_tell(c->g, true, "ClusterRefused", "%s%s%s%s", err.text, *held ? "; cluster " : "", held,
		     *held ? " stays as it was" : "");
}

/* ---- joining and leaving -------------------------------------------------------------------- */

static void join(struct clusters *c, struct entry *e, const char *result)
{
	struct sw_gateway *g = c->g;
	struct sw_err err = SW_OK;
	set_make(c);
	if (g->dispatch)
		err = sw_dispatch_cluster_join(g->dispatch, e->cfg);
	if (g->nominate)
		err = sw_nominate_cluster_join(g->nominate, e->cfg);
	if (sw_failed(err))
		refuse(c, e, sw_err_wrap(err, "%s", e->cfg->where));
	else
		say(c, result, "ClusterJoined", e->cfg->name, e->cfg->where);
}

static bool leave(struct clusters *c, struct entry *e)
{
	struct sw_gateway *g = c->g;
	char why[300] = "";
	if (g->nominate)
		sw_nominate_cluster_leave(g->nominate, e->cfg->name);
	if (!g->dispatch || sw_dispatch_cluster_leave(g->dispatch, e->cfg->name, e->leaving, why))
		return true;
	if (strcmp(e->said, why) != 0)
		sw_log(WARN, "gateway",
		       e->leaving ? "a cluster without a file stays for a while, and takes no new jobs"
				  : "a cluster's file changed: it is taken over when nothing of ours is there",
		       "cluster=%s why=\"%s\"", e->cfg->name, why);
	sw_cut(e->said, sizeof e->said, why);
	return false;
}

static void take_next(struct clusters *c, struct entry *e)
{
	sw_cluster_free(e->own);
	e->cfg = e->own = e->next;
	e->next = NULL;
	*e->said = '\0';
	join(c, e, "changed");
}

static void gone(struct clusters *c, size_t i)
{
	struct entry *e = c->at[i];
	memmove(&c->at[i], &c->at[i + 1], (c->n - i - 1) * sizeof *c->at);
	c->n--;
	set_make(c);
	if (e->cfg)
		say(c, "left", "ClusterLeft", e->cfg->name, e->cfg->where);
	entry_free(e);
}

/* Whoever can, leaves or changes; the others are asked again. */
static void step(void *owner)
{
	struct clusters *c = owner;
	bool waits = false;
	for (size_t i = c->n; i-- > 0;) {
		struct entry *e = c->at[i];
		if (!e->leaving && !e->next)
			continue;
		if (e->cfg && !leave(c, e))
			waits = true;
		else if (e->leaving)
			gone(c, i);
		else
			take_next(c, e);
	}
	if (waits)
		sw_timer_in(c->again, AGAIN_MS);
}

static struct sw_err is_free(const struct clusters *c, const struct entry *mine, const struct sw_cluster_cfg *cl)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct sw_cluster_cfg *others[] = {c->at[i]->cfg, c->at[i]->next};
		for (size_t k = 0; k < 2 && c->at[i] != mine; k++)
			if (others[k] && strcmp(others[k]->name, cl->name) == 0)
				return sw_err(SW_E_INVALID, "%s: a second cluster named \"%s\" (the first is at %s)",
					      cl->where, cl->name, others[k]->where);
	}
	return SW_OK;
}

static void back_again(struct clusters *c, struct entry *e)
{
	bool was_leaving = e->leaving;
	e->seen = true;
	e->leaving = false;
	*e->said = '\0';
	if (was_leaving && e->cfg)
		join(c, e, "back");
}

/* ---- those that stand in no file -------------------------------------------------------------------- */

static struct entry *given_of(const struct clusters *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i]->own && c->at[i]->own->text && strcmp(c->at[i]->own->name, name) == 0)
			return c->at[i];
	return NULL;
}

struct sw_err gateway_clusters_put(struct sw_gateway *g, const char *name, const char *text, size_t len)
{
	struct clusters *c = g->clusters;
	struct entry *e = given_of(c, name);
	if (!e) {
		char *where = sw_asprintf("MultiKueueCluster %s", name);
		struct sw_cluster_cfg *fresh = sw_cluster_of_text(name, where, text, len);
		struct sw_err err = is_free(c, NULL, fresh);
		free(where);
		if (sw_failed(err)) {
			sw_cluster_free(fresh);
			return sw_err(SW_E_EXISTS, "the configuration has a cluster of that name, which counts");
		}
		e = entry_new(c, NULL);
		e->cfg = e->own = fresh;
		join(c, e, "joined");
		return SW_OK;
	}
	if (e->own->text->len != len || memcmp(e->own->text->at, text, len) != 0) {
		sw_cluster_retext(e->own, text, len);
		sw_log(INFO, "gateway", "a cluster has a new kubeconfig", "cluster=%s where=\"%s\"", name,
		       e->own->where);
	}
	back_again(c, e);
	return SW_OK;
}

void gateway_clusters_take(struct sw_gateway *g, const char *name)
{
	struct entry *e = given_of(g->clusters, name);
	if (e)
		e->leaving = true;
	step(g->clusters);
}

/* ---- the files ------------------------------------------------------------------------------------ */

static struct entry *entry_of(struct clusters *c, const char *path)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i]->path && strcmp(c->at[i]->path, path) == 0)
			return c->at[i];
	return entry_new(c, path);
}

static void file_read(struct clusters *c, struct entry *e)
{
	struct sw_cluster_cfg *fresh;
	struct sw_err err = sw_cluster_read(e->path, &fresh);
	if (!sw_failed(err))
		err = is_free(c, e, fresh);
	if (sw_failed(err)) {
		refuse(c, e, err);
		sw_cluster_free(fresh);
		return;
	}
	sw_cluster_free(e->next);
	e->next = NULL;
	if (!e->cfg) {
		e->cfg = e->own = fresh;
		join(c, e, "joined");
	} else if (sw_cluster_same(e->cfg, fresh)) {
		sw_cluster_free(fresh);
	} else {
		e->next = fresh;
	}
}

static void file_look(struct clusters *c, const char *path)
{
	struct entry *e = entry_of(c, path);
	uint64_t stamp = sw_file_stamp(path);
	back_again(c, e);
	if (stamp == e->stamp && !c->force)
		return;
	e->stamp = stamp;
	file_read(c, e);
}

/* The folder itself, or until somebody makes it the one where it will be. */
static void watch_folder(struct clusters *c)
{
	char *dir = sw_clusters_dir_path(c->g->config);
	struct stat st;
	char *inside = dir ? sw_asprintf("%s/x", dir) : NULL;
	if (dir)
		gateway_watch_file(c->watch, stat(dir, &st) == 0 ? inside : dir);
	free(inside);
	free(dir);
}

static void on_settled(void *owner)
{
	struct clusters *c = owner;
	char **files;
	watch_folder(c);
	struct sw_err err = sw_clusters_dir(c->g->config, &files);
	if (sw_failed(err)) /* says nothing about what is in it */
		sw_log(ERROR, "gateway", "the clusters' folder cannot be read", "error=\"%s\"", err.text);
	for (size_t i = 0; i < c->n; i++)
		c->at[i]->seen = false;
	for (size_t i = 0; files[i]; i++) {
		file_look(c, files[i]);
		free(files[i]);
	}
	free(files);
	for (size_t i = 0; !sw_failed(err) && i < c->n; i++)
		if (c->at[i]->path && !c->at[i]->seen && !c->at[i]->leaving) {
			c->at[i]->leaving = true;
			*c->at[i]->said = '\0';
		}
	c->force = false;
	step(c);
}

void gateway_clusters_reload(struct sw_gateway *g)
{
	g->clusters->force = true;
	gateway_watch_again(g->clusters->watch, true);
}

/* ---- opening and closing ----------------------------------------------------------------------------- */

/* Does this place ("FILE:LINE:COLUMN" or "FILE") lie in the file? */
static bool stands_in(const char *where, const char *file)
{
	size_t n = strlen(file);
	return where && strncmp(where, file, n) == 0 && (where[n] == ':' || !where[n]);
}

static void take_configured(struct clusters *c, char **files)
{
	const struct sw_config *config = c->g->config;
	for (size_t i = 0; i < config->n_clusters; i++) {
		const char *path = NULL;
		for (size_t k = 0; files[k]; k++)
			if (stands_in(config->clusters[i].where, files[k]))
				path = files[k];
		entry_new(c, path)->cfg = &config->clusters[i];
	}
	set_make(c);
}

struct sw_err gateway_clusters_open(struct sw_gateway *g)
{
	struct clusters *c = g->clusters = sw_calloc(1, sizeof *c);
	char **files;
	c->g = g;
	c->m_changes = sw_metric(g->metrics, SW_COUNTER, "spillway_cluster_changes_total",
				 "Clusters that came or went while running, and files that were refused.", "result");
	struct sw_err e = sw_clusters_dir(g->config, &files);
	take_configured(c, files);
	for (size_t i = 0; files[i]; i++)
		free(files[i]);
	free(files);
	if (!sw_failed(e))
		e = sw_timer_new(g->loop, step, c, &c->again);
	if (!sw_failed(e))
		e = gateway_watch_new(g->loop, on_settled, c, &c->watch);
	if (!sw_failed(e) && *g->config->clusters_dir) {
		watch_folder(c);
		gateway_watch_again(c->watch, false); /* what changed since the configuration was read */
	}
	return e;
}

void gateway_clusters_close(struct sw_gateway *g)
{
	struct clusters *c = g->clusters;
	if (!c)
		return;
	gateway_watch_free(c->watch);
	sw_timer_free(c->again);
	for (size_t i = 0; i < c->n; i++)
		entry_free(c->at[i]);
	free(c->at);
	free(g->wanted.at);
	free(c);
	g->clusters = NULL;
}
