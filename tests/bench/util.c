/* SPDX-License-Identifier: Apache-2.0 */
/* util.c - clock, percentiles, rows, directories */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "spillway/text.h"

void bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void bench_must(struct sw_err e, const char *what)
{
	if (sw_failed(e))
		bench_die("%s: %s", what, e.text);
}

double bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int bench_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_percentile(double *values, size_t n, double percent)
{
	size_t at = (size_t)((double)n * percent / 100);

	if (n == 0)
		return 0;
	qsort(values, n, sizeof(*values), bench_by_value);
	return values[at < n ? at : n - 1];
}

/* BENCH_OUTPUT=json: a line of JSON for each row and note, which run.sh makes one document of. */
static bool as_json(void)
{
	const char *wish = getenv("BENCH_OUTPUT");

	return wish && !strcmp(wish, "json");
}

static void json_line(size_t n, const char *const pairs[][2], int met)
{
	static const char *const words[] = {"null", "false", "true"};
	struct sw_buf b;

	sw_buf_init(&b, 64 << 10);
	for (size_t i = 0; i < n; i++) {
		sw_buf_printf(&b, "%s\"%s\":", i ? "," : "{", pairs[i][0]);
		sw_buf_json_str(&b, pairs[i][1]);
	}
	if (n > 1)
		sw_buf_printf(&b, ",\"met\":%s", words[met + 1]);
	printf("%s}\n", b.at);
	sw_buf_fini(&b);
}

void bench_row(const char *figure, const char *goal, int met, const char *value_fmt, ...)
{
	char value[160];
	va_list ap;

	va_start(ap, value_fmt);
	vsnprintf(value, sizeof(value), value_fmt, ap);
	va_end(ap);
	if (as_json())
		json_line(3, (const char *const[][2]){{"figure", figure}, {"value", value}, {"goal", goal}}, met);
	else
		printf("%-52s %-22s %-18s %s\n", figure, value, goal, met < 0 ? "" : met ? "met" : "MISSED");
	fflush(stdout);
}

void bench_note(const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (as_json())
		json_line(1, (const char *const[][2]){{"note", text}}, -1);
	else
		printf("    %s\n", text);
	fflush(stdout);
}

void bench_write(const char *dir, const char *name, const char *fmt, ...)
{
	char *path = sw_asprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	va_list ap;

	if (!f)
		bench_die("cannot write %s", path);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
	free(path);
}

struct bench_access bench_access(const char *dir, const char *name)
{
	struct bench_access a = {0};
	char *path = sw_asprintf("%s/%s", dir, name), *text, *server, *token;
	size_t len;

	bench_must(sw_file_read(path, 1 << 20, &text, &len), "kubeconfig");
	server = strstr(text, "https://127.0.0.1:");
	token = strstr(text, "token: \"");
	if (!server || !token || sscanf(server, "https://127.0.0.1:%d", &a.port) != 1 ||
	    sscanf(token, "token: \"%79[^\"]", a.token) != 1)
		bench_die("%s: no server and token in it", path);
	free(text);
	free(path);
	return a;
}

char *bench_dir(void)
{
	const char *parent = getenv("BENCH_DIR");
	char *dir = sw_asprintf("%s/bench.XXXXXX", parent ? parent : ".");

	if (!mkdtemp(dir))
		bench_die("cannot make a directory like %s", dir);
	return dir;
}

void bench_dir_remove(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char *path = sw_asprintf("%s/%s", dir, entry->d_name);

		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && unlink(path) != 0)
			bench_dir_remove(path);
		free(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}
