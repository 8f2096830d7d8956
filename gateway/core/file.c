/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - whole files: read with a limit, written so that a crash leaves the old or the new one */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spillway/buf.h"
#include "spillway/fault.h"
#include "spillway/text.h"

static struct sw_err io_err(const char *path, const char *doing, int err)
{
	enum sw_code code = err == ENOENT ? SW_E_MISSING : err == ENOMEM ? SW_E_NOMEM : SW_E_IO;

	return sw_err(code, "%s: cannot %s: %s", path, doing, strerror(err));
}

static struct sw_err read_all(int fd, const char *path, struct sw_buf *b)
{
	for (;;) {
		char chunk[16384];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n == 0)
			return SW_OK;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_err(path, "read", errno);
		if ((size_t)n > b->max - b->len)
			return sw_err(SW_E_TOOBIG, "%s: larger than %zu bytes, the most that is read here", path,
				      b->max);
		sw_buf_put(b, chunk, (size_t)n);
		if (!sw_buf_ok(b))
			return sw_err(SW_E_NOMEM, "%s: out of memory after %zu bytes", path, b->len);
	}
}

struct sw_err sw_file_read(const char *path, size_t max, char **out, size_t *len)
{
	struct sw_err e;
	struct sw_buf b;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*out = NULL;
	if (len)
		*len = 0;
	if (fd < 0)
		return io_err(path, "open", errno);
	sw_buf_init(&b, max);
	e = read_all(fd, path, &b);
	close(fd);
	if (!sw_failed(e)) {
		*out = sw_buf_take(&b, len);
		if (!*out)
			e = sw_err(SW_E_NOMEM, "%s: out of memory", path);
	}
	sw_buf_fini(&b);
	return e;
}

static struct sw_err write_all(int fd, const char *path, const char *bytes, size_t n)
{
	while (n) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return io_err(path, "write", errno);
		bytes += done;
		n -= (size_t)done;
	}
	return SW_OK;
}

/* The rename is durable only when its directory is. */
static struct sw_err sync_parent(const char *path)
{
	char *copy = sw_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sw_err e = SW_OK;

	if (fd < 0 || (fsync(fd) && errno != EINVAL))
		e = io_err(path, "sync the directory of", errno);
	if (fd >= 0)
		close(fd);
	free(copy);
	return e;
}

static struct sw_err write_beside(int fd, const char *beside, const char *path, const void *bytes, size_t n, int mode)
{
	struct sw_err e = write_all(fd, path, bytes, n);

	if (!sw_failed(e) && fchmod(fd, (mode_t)mode))
		e = io_err(path, "set the mode of", errno);
	if (!sw_failed(e) && fsync(fd))
		e = io_err(path, "sync", errno);
	if (close(fd) && !sw_failed(e))
		e = io_err(path, "close", errno);
	if (!sw_failed(e) && rename(beside, path))
		e = io_err(path, "replace", errno);
	return e;
}

struct sw_err sw_file_write(const char *path, const void *bytes, size_t n, int mode)
{
	char *beside = sw_asprintf("%s.XXXXXX", path);
	int fd = mkostemp(beside, O_CLOEXEC); /* made with mode 0600 */
	struct sw_err e;

	(void)sw_fault_point("file.write.before", path);
	if (fd < 0) {
		e = io_err(path, "create a file beside", errno);
	} else {
		e = write_beside(fd, beside, path, bytes, n, mode);
		if (sw_failed(e))
			unlink(beside);
		else
			e = sync_parent(path);
	}
	(void)sw_fault_point("file.write.after", path);
	free(beside);
	return e;
}

static struct sw_err make_one(const char *path, int mode)
{
	struct stat st;

	if (mkdir(path, (mode_t)mode) == 0)
		return SW_OK;
	if (errno != EEXIST)
		return io_err(path, "make the directory", errno);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return SW_OK;
	return sw_err(SW_E_IO, "%s: found something that is not a directory", path);
}

uint64_t sw_file_stamp(const char *path)
{
	struct stat st;

	if (!path || stat(path, &st) != 0)
		return 1; /* not there is a state too */
	int64_t mark[5] = {(int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (int64_t)st.st_size, (int64_t)st.st_ino,
			   (int64_t)st.st_dev};

	return sw_hash(mark, sizeof(mark)) | 2;
}

struct sw_err sw_mkdirs(const char *path, int mode)
{
	char *copy = sw_strdup(path);
	struct sw_err e = SW_OK;

	if (!*copy)
		e = sw_err(SW_E_INVALID, "make a directory: the path is empty");
	for (char *p = copy + (*copy == '/'); *p && !sw_failed(e); p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = 0;
		e = make_one(copy, mode);
		*p = '/';
	}
	if (!sw_failed(e))
		e = make_one(copy, mode);
	free(copy);
	return e;
}
