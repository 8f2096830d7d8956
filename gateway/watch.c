/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - says when files may have changed
 *
 * Their folders are watched, not they: editors and mounted ConfigMaps put a new file (or a new folder behind a symbolic
 * link) in the old one's place, which a watch on the file itself would never see. Changes in quick succession are said
 * once, after they have settled, or a few seconds after the first: a log in the same folder never settles.
 */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway_priv.h"
#include "spillway/text.h"

enum { SETTLE_MS = 300, MOST_MS = 3000 };

struct folder {
	uv_fs_event_t uv;
	struct watch *of;
	char *dir;
	bool link; /* a symbolic link: what it names is watched, until it names another */
};

struct watch {
	struct sw_loop *loop;
	struct sw_timer *settle;
	void (*settled)(void *owner);
	void *owner;
	bool moved;
	uint64_t since_ms; /* loop time of the first change that was not said yet; 0: none */
	struct folder **at;
	size_t n;
};

static void on_folder(uv_fs_event_t *uv, const char *name, int events, int status)
{
	struct folder *f = uv->data;
	(void)name, (void)events, (void)status;
	struct watch *w = f->of;
	uint64_t now = sw_loop_now(w->loop);
	w->moved = true;
	if (!w->since_ms)
		w->since_ms = now ? now : 1;
	if (now < w->since_ms + MOST_MS)
		sw_timer_in(w->settle, SETTLE_MS);
}

static int folder_start(struct folder *f)
{
	return uv_fs_event_start(&f->uv, on_folder, f->dir, 0);
}

static void on_settle(void *owner)
{
	struct watch *w = owner;
	for (size_t i = 0; w->moved && i < w->n; i++)
		if (w->at[i]->link) {
			uv_fs_event_stop(&w->at[i]->uv);
			folder_start(w->at[i]);
			uv_unref((uv_handle_t *)&w->at[i]->uv);
		}
	w->moved = false;
	w->since_ms = 0;
	w->settled(w->owner);
}

static void on_closed(uv_handle_t *uv)
{
	struct folder *f = (struct folder *)uv;
	free(f->dir);
	free(f);
}

struct sw_err gateway_watch_new(struct sw_loop *loop, void (*settled)(void *owner), void *owner, struct watch **out)
{
	struct watch *w = *out = sw_calloc(1, sizeof *w);
	w->loop = loop;
	w->settled = settled;
	w->owner = owner;
	return sw_timer_new(loop, on_settle, w, &w->settle);
}

static bool is_link(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

void gateway_watch_file(struct watch *w, const char *file)
{
	char *copy = sw_strdup(file);
	const char *dir = dirname(copy);
	size_t i = 0;
	while (i < w->n && strcmp(w->at[i]->dir, dir) != 0)
		i++;
	if (i < w->n) {
		free(copy);
		return;
	}
	if (is_link(dir))
		gateway_watch_file(w, dir);
	struct folder *f = sw_calloc(1, sizeof *f);
	*f = (struct folder){.of = w, .dir = sw_strdup(dir), .link = is_link(dir)};
	free(copy);
	w->at = realloc(w->at, (w->n + 1) * sizeof(*w->at));
	SW_REQUIRE(w->at);
	w->at[w->n++] = f;
	uv_fs_event_init(sw_loop_uv(w->loop), &f->uv);
	f->uv.data = f;
	int rc = folder_start(f);
	if (rc)
		sw_log(WARN, "gateway", "a folder cannot be watched; SIGHUP reads its files again",
		       "folder=%s error=\"%s\"", f->dir, uv_strerror(rc));
	uv_unref((uv_handle_t *)&f->uv);
}

void gateway_watch_again(struct watch *w, bool now)
{
	sw_timer_in(w->settle, now ? 1 : SETTLE_MS);
}

void gateway_watch_free(struct watch *w)
{
	if (!w)
		return;
	sw_timer_free(w->settle);
	for (size_t i = 0; i < w->n; i++)
		uv_close((uv_handle_t *)&w->at[i]->uv, on_closed);
	free(w->at);
	free(w);
}
