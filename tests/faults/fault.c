/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c - fault points that fire, for the crash scenarios
 *
 * SPILLWAY_FAULT names a file whose one line is WHERE:COUNT:ACTION[:DETAIL], for example "store.commit.before:3:kill"
 * or "kube.reply:2:lose:POST /apis/batch/v1". The COUNT-th time that point WHERE with DETAIL in its detail text is
 * passed since the line was written, kill raises SIGKILL, lose makes the caller believe that the reply was lost. An
 * empty or missing file: no fault. It is read at each point, so that one process can be given one fault after the
 * other.
 *
 * SPILLWAY_FAULT_LOG=FILE appends a line for each point passed ("! " before it: it fired), so that a scenario learns
 * which there are.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spillway/fault.h"

enum { LINE = 512 };

static void note(const char *where, const char *detail, bool fired)
{
	char line[LINE];
	const char *path = getenv("SPILLWAY_FAULT_LOG");
	if (!path)
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int n = snprintf(line, sizeof line, "%s%s %s\n", fired ? "! " : "", where, detail);
	if (fd >= 0 && n > 0 && write(fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1) < 0)
		abort();
	if (fd >= 0)
		close(fd);
}

/* The line that asks for a fault; "" if none does. */
static void read_spec(char spec[LINE])
{
	const char *path = getenv("SPILLWAY_FAULT");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd >= 0 ? read(fd, spec, LINE - 1) : 0;
	spec[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* How often the point of this line was passed since it was written, this time included. Points are on the loop and on
 * the commit thread. */
static int passes(const char *spec)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char last[LINE];
	static int passed;
	pthread_mutex_lock(&lock);
	if (strcmp(last, spec) != 0) {
		memcpy(last, spec, LINE);
		passed = 0;
	}
	int n = ++passed;
	pthread_mutex_unlock(&lock);
	return n;
}

static bool fires(const char *where, const char *detail, char action[16])
{
	char spec[LINE] = "", want[64], with[256] = "";
	int count = 0;
	read_spec(spec);
	if (sscanf(spec, "%63[^:]:%d:%15[^:\n]:%255[^\n]", want, &count, action, with) < 3)
		return false;
	return strcmp(want, where) == 0 && strstr(detail, with) && passes(spec) == count;
}

bool sw_fault_point(const char *where, const char *detail)
{
	char action[16];
	bool fired = fires(where, detail, action);
	note(where, detail, fired);
	if (fired && strcmp(action, "kill") == 0)
		raise(SIGKILL);
	return fired;
}
