/* SPDX-License-Identifier: Apache-2.0 */
/* store_open.c - opening and closing the store: directory, lock, schema, connections */
#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "spillway/log.h"
#include "spillway/text.h"

struct sw_err store_sql_err(sqlite3 *db, int rc, const char *what)
{
	const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
	if ((rc & 0xff) == SQLITE_FULL)
		return sw_err(SW_E_IO,
			      "store: %s: the disk is full (%s); nothing was changed, free some space and try again",
			      what, why);
	if ((rc & 0xff) == SQLITE_NOTADB || (rc & 0xff) == SQLITE_CORRUPT)
		return sw_err(
			SW_E_IO,
			"store: %s: not a spillway store, or it is damaged (%s): restore a copy of it, or give another "
			"data directory",
			what, why);
	return sw_err(SW_E_IO, "store: %s: %s (SQLite error %d)", what, why, rc);
}

struct sw_err store_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
	int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	return rc == SQLITE_OK ? SW_OK : store_sql_err(db, rc, "preparing a statement");
}

static struct sw_err exec(sqlite3 *db, const char *sql)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? SW_OK : store_sql_err(db, rc, "preparing the database");
}

struct sw_err store_db_open(struct sw_store *s, int cache_kib, sqlite3 **out)
{
	char pragmas[160];
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(s->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	struct sw_err e = rc == SQLITE_OK ? SW_OK : store_sql_err(db, rc, "opening the database");
	if (!sw_failed(e)) {
		sqlite3_busy_timeout(db, 2000);
		sqlite3_extended_result_codes(db, 1);
		snprintf(pragmas, sizeof(pragmas),
			 "PRAGMA cache_size=-%d; PRAGMA synchronous=%s; PRAGMA temp_store=MEMORY;", cache_kib,
			 s->ephemeral ? "OFF" : "FULL");
		e = exec(db, pragmas);
	}
	if (sw_failed(e)) {
		sqlite3_close(db);
		db = NULL;
	}
	*out = db;
	return sw_err_wrap(e, "%s", s->path);
}

/* ---- schema ------------------------------------------------------------------ */

/* body is the last column, so that a row's other fields are read without its overflow pages. Rows are
 * appended by id and found by the index: writing in key order would touch pages all over the file. */
static const char SCHEMA_SQL[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE objects(id INTEGER PRIMARY KEY, resource TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL,"
	" uid TEXT NOT NULL, rv INTEGER NOT NULL, body BLOB NOT NULL);"
	"CREATE UNIQUE INDEX objects_key ON objects(resource, ns, name);"
	"CREATE TABLE owners(uid TEXT NOT NULL, object INTEGER NOT NULL, PRIMARY KEY(uid, object)) WITHOUT ROWID;"
	"CREATE INDEX owners_object ON owners(object);"
	"CREATE TABLE notes(key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;"
	"INSERT INTO notes VALUES('" STORE_RV_NOTE "', '0');"
	"PRAGMA user_version=1;"
	"COMMIT;";
_Static_assert(STORE_SCHEMA == 1, "SCHEMA_SQL sets user_version");

static struct sw_err schema_version(sqlite3 *db, int *version)
{
	sqlite3_stmt *st = NULL;
	struct sw_err e = store_prepare(db, "PRAGMA user_version", &st);
	if (!sw_failed(e)) {
		int rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			*version = sqlite3_column_int(st, 0);
		else
			e = store_sql_err(db, rc, "reading the schema version");
	}
	sqlite3_finalize(st);
	return e;
}

static struct sw_err schema_ensure(struct sw_store *s, sqlite3 *db)
{
	int version = 0;
	struct sw_err e = schema_version(db, &version);
	if (sw_failed(e))
		return sw_err_wrap(e, "%s", s->path);
	if (version > STORE_SCHEMA)
		return sw_err(SW_E_INVALID,
			      "%s: found schema version %d, this spillway (%s) knows versions up to %d: "
			      "it was written by a newer spillway; run that one, or give another data directory",
			      s->path, version, SW_VERSION, STORE_SCHEMA);
	if (version == STORE_SCHEMA)
		return exec(
			db,
			"PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=2000; PRAGMA journal_size_limit=67108864;");
	e = exec(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=2000; PRAGMA "
		     "journal_size_limit=67108864;");
	return sw_failed(e) ? e : exec(db, SCHEMA_SQL);
}

/* ---- directory and lock -------------------------------------------------------- */

static struct sw_err lock_holder(const char *path, const char *dir, int fd)
{
	char pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return sw_err(SW_E_BUSY,
		      "data directory %s is in use by process %s (lock file %s): stop that gateway, or give this one "
		      "a directory of its own",
		      dir, *pid ? pid : "unknown", path);
}

static struct sw_err lock_take(struct sw_store *s)
{
	char *path = sw_asprintf("%s/lock", s->dir);
	struct sw_err e = SW_OK;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		e = sw_err(SW_E_IO, "lock file %s: %s", path, strerror(errno));
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		e = errno == EWOULDBLOCK ? lock_holder(path, s->dir, fd)
					 : sw_err(SW_E_IO, "lock file %s: %s", path, strerror(errno));
	if (!sw_failed(e)) {
		char pid[24];
		int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
		/* The number is for people; the lock holds without it, even on a full disk. */
		if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
			sw_log(WARN, "store", "cannot write the process number into the lock file", "file=%s", path);
		s->lock_fd = fd;
	} else if (fd >= 0) {
		close(fd);
	}
	free(path);
	return e;
}

/* The file is made before SQLite does it: its mode also goes to the WAL, and secrets are inside. */
static struct sw_err file_ensure(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return sw_err(SW_E_IO, "store %s: %s", path, strerror(errno));
	close(fd);
	return SW_OK;
}

/* ---- open and close -------------------------------------------------------------- */

struct store_res *store_res(struct sw_store *s, const char *name)
{
	struct store_res *r;
	HASH_FIND_STR(s->resources, name, r);
	if (r)
		return r;
	size_t n = strlen(name);
	r = sw_calloc(1, sizeof(*r) + n + 1);
	memcpy(r->name, name, n + 1);
	HASH_ADD_STR(s->resources, name, r);
	return r;
}

void store_shell_unref(struct sw_store *s)
{
	if (--s->shell_refs == 0)
		free(s);
}

static void on_turn_closed(uv_handle_t *h)
{
	store_shell_unref(h->data);
}

static struct sw_err store_begin(struct sw_store *s)
{
	struct sw_err e = sw_mkdirs(s->dir, 0700);
	if (!sw_failed(e))
		e = lock_take(s);
	if (!sw_failed(e))
		e = file_ensure(s->path);
	if (!sw_failed(e))
		e = store_db_open(s, 8192, &s->commit.db);
	if (!sw_failed(e))
		e = schema_ensure(s, s->commit.db);
	if (!sw_failed(e))
		e = store_db_open(s, 4096, &s->reader);
	if (!sw_failed(e))
		e = store_read_start(s);
	if (!sw_failed(e))
		e = store_commit_start(s);
	return e;
}

static void store_metrics(struct sw_store *s, struct sw_metrics *reg)
{
	s->m_writes = sw_metric(reg, SW_COUNTER, "spillway_store_writes_total", "Writes committed to the store.", "");
	s->m_commits = sw_metric(reg, SW_COUNTER, "spillway_store_commits_total",
				 "Durable transactions; each holds one write or more.", "");
	s->m_commit_s =
		sw_metric(reg, SW_COUNTER, "spillway_store_commit_seconds_total", "Time spent in transactions.", "");
	s->m_failures = sw_metric(reg, SW_COUNTER, "spillway_store_failures_total",
				  "Transactions that failed; their writes were refused.", "");
	s->m_objects = sw_metric(reg, SW_GAUGE, "spillway_store_objects", "Objects stored, by resource.", "resource");
}

struct sw_err sw_store_open(struct sw_loop *loop, const struct sw_store_options *opt, struct sw_store **out)
{
	struct sw_store *s = sw_calloc(1, sizeof(*s));
	*out = NULL;
	s->loop = loop;
	s->dir = sw_strdup(opt->dir);
	s->path = sw_asprintf("%s/store.db", opt->dir);
	s->ephemeral = opt->ephemeral;
	s->lock_fd = -1;
	s->ring_limit = opt->event_bytes ? opt->event_bytes : STORE_RING_BYTES;
	op_list_init(&s->staged);
	op_list_init(&s->publishing);
	store_metrics(s, opt->metrics);
	uv_prepare_init(sw_loop_uv(loop), &s->turn_end);
	s->turn_end.data = s;
	s->shell_refs = 1;
	struct sw_err e = store_begin(s);
	if (sw_failed(e)) {
		sw_store_close(s);
		return e;
	}
	*out = s;
	return SW_OK;
}

static void forget_names(struct sw_store *s)
{
	struct store_res *r, *next_r;
	HASH_ITER(hh, s->resources, r, next_r)
	{
		HASH_DEL(s->resources, r);
		free(r);
	}
	struct store_count *c, *next_c;
	HASH_ITER(hh, s->counts, c, next_c)
	{
		HASH_DEL(s->counts, c);
		free(c);
	}
}

void sw_store_close(struct sw_store *s)
{
	if (!s)
		return;
	store_commit_stop(s);
	s->closing = true;
	store_watch_stop(s);
	store_list_stop(s);
	store_read_stop(s);
	sqlite3_close(s->commit.db);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	forget_names(s);
	free(s->dir);
	free(s->path);
	uv_close((uv_handle_t *)&s->turn_end, on_turn_closed);
}
