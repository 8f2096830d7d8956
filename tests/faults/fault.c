/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.c - fault points that fire, for the crash scenarios
 *
 * SPILLWAY_FAULT=WHERE:COUNT:ACTION[:DETAIL], for example "store.commit.before:3:kill" or
 * "kube.reply:2:lose:POST". The COUNT-th time that point WHERE (with DETAIL in its detail text) is passed,
 * kill raises SIGKILL, lose makes the caller believe that the reply was lost. SPILLWAY_FAULT_LOG=FILE appends a line for each point
 * passed, so that a scenario first learns how many there are.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spillway/fault.h"

static void note(const char *where, const char *detail)
{
	char line[512];
	const char *path = getenv("SPILLWAY_FAULT_LOG");
	if (!path)
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int n = snprintf(line, sizeof line, "%s %s\n", where, detail);
	if (fd >= 0 && n > 0 && write(fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1) < 0)
		abort();
	if (fd >= 0)
		close(fd);
}

bool sw_fault_point(const char *where, const char *detail)
{
	static atomic_int passed; /* points fire on the loop and on the commit thread */
	char want[64], action[16], with[128] = "";
	int count = 0;
	const char *spec = getenv("SPILLWAY_FAULT");
	note(where, detail);
	if (!spec || sscanf(spec, "%63[^:]:%d:%15[^:]:%127s", want, &count, action, with) < 3)
		return false;
	if (strncmp(detail, "GET ", 4) == 0) /* reads change nothing: not counted */
		return false;
	if (strcmp(want, where) != 0 || !strstr(detail, with) || atomic_fetch_add(&passed, 1) + 1 != count)
		return false;
	if (strcmp(action, "kill") == 0)
		raise(SIGKILL);
	return true;
}
