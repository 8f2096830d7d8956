/* SPDX-License-Identifier: Apache-2.0 */
/* policy_test.c - `spillway policy test`: a table of passes, what failed field by field, JUnit for build servers */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "policy.h"
#include "spillway/text.h"

struct suite {
	const struct policy_args *args;
	json_t *rows;    /* {policy, test, passed, milliseconds, error} */
	const char *now; /* the policy whose tests run */
	struct timespec began;
	int passed, failed, files;
};

static double elapsed_ms(struct timespec *began)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	double ms = (double)(now.tv_sec - began->tv_sec) * 1e3 + (double)(now.tv_nsec - began->tv_nsec) / 1e6;
	*began = now;
	return ms;
}

/* "test_spot_only_where" -> "spot only where" */
static void title(const char *test, char out[128])
{
	sw_cut(out, 128, strncmp(test, "test_", 5) == 0 ? test + 5 : test);
	for (char *c = out; *c; c++)
		*c = *c == '_' ? ' ' : *c;
}

/* A message that says several things says each on a line of its own. */
static void print_error(const char *text)
{
	for (const char *at = text, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		printf("        %s%.*s%s\n", cli_tone_on(stdout, CLI_BAD), (int)(end - at), at, cli_tone_off(stdout));
	}
}

static void add_row(struct suite *s, const char *name, struct sw_err err)
{
	bool bad = sw_failed(err);
	json_t *row = json_object_new_object();
	sw_json_set_str(row, "policy", s->now);
	sw_json_set_str(row, "test", name);
	sw_json_set_bool(row, "passed", !bad);
	json_object_object_add(row, "milliseconds", json_object_new_double(elapsed_ms(&s->began)));
	if (bad)
		sw_json_set_str(row, "error", err.text);
	json_object_array_add(s->rows, row);
	bad ? s->failed++ : s->passed++;
	if (s->args->json || (!bad && !s->args->verbose))
		return;
	printf("  %s%-4s%s  %s\n", cli_tone_on(stdout, bad ? CLI_BAD : CLI_GOOD), bad ? "FAIL" : "ok",
	       cli_tone_off(stdout), name);
	if (bad)
		print_error(err.text);
}

static void on_test(void *owner, const char *test, struct sw_err err)
{
	char name[128];
	title(test, name);
	add_row(owner, name, err);
}

static struct sw_err run_one(struct suite *s, const char *word)
{
	struct sw_policy_text t;
	struct sw_err e = sw_policy_text_read(word, &t);
	if (sw_failed(e))
		return e;
	if (!t.test_src) {
		e = sw_err(SW_E_MISSING, "%s has no tests: there is no %s", t.name, t.test_name);
		sw_policy_text_free(&t);
		return e;
	}
	int passed = s->passed, failed = s->failed;
	s->now = t.name;
	s->files++;
	elapsed_ms(&s->began);
	if (!s->args->json)
		printf("%s%s%s\n", cli_tone_on(stdout, CLI_BOLD), t.name, cli_tone_off(stdout));
	e = sw_policy_test(&(struct sw_policy_source){t.name, t.src, t.len},
			   &(struct sw_policy_source){t.test_name, t.test_src, t.test_len}, s->args->limits, on_test,
			   s);
	if (sw_failed(e)) /* a file that does not compile is a failure, and the other files are tested all the same */
		add_row(s, "its files can be run", e);
	else if (!s->args->json)
		printf("  %d passed, %d failed\n", s->passed - passed, s->failed - failed);
	sw_policy_text_free(&t);
	return SW_OK;
}

/* ---- folders -------------------------------------------------------------------------- */

static int tests_only(const struct dirent *d)
{
	return sw_policy_is_test_file(d->d_name);
}

static struct sw_err run_folder(struct suite *s, const char *dir)
{
	struct dirent **found;
	int n = scandir(dir, &found, tests_only, alphasort);
	struct sw_err e = SW_OK;
	if (n < 0)
		return sw_err(SW_E_IO, "%s: cannot list: %s", dir, strerror(errno));
	if (n == 0)
		e = sw_err(SW_E_MISSING, "%s: no *.test.lua in it: nothing was tested", dir);
	for (int i = 0; i < n; i++) {
		char *path = sw_asprintf("%s/%s", dir, found[i]->d_name);
		if (!sw_failed(e))
			e = run_one(s, path);
		free(path);
		free(found[i]);
	}
	free(found);
	return e;
}

static struct sw_err run_word(struct suite *s, const char *word)
{
	struct stat st;
	if (stat(word, &st) == 0 && S_ISDIR(st.st_mode)) {
		char *dir = sw_strdup(word);
		size_t n = strlen(dir);
		while (n > 1 && dir[n - 1] == '/')
			dir[--n] = '\0';
		struct sw_err e = run_folder(s, dir);
		free(dir);
		return e;
	}
	return run_one(s, word);
}

/* ---- JUnit ------------------------------------------------------------------------------ */

static void put_xml(struct sw_buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '&' || c == '<' || c == '>' || c == '"')
			sw_buf_printf(b, "&#%d;", c);
		else if (c >= ' ' || c == '\n' || c == '\t') /* XML 1.0 has no other control characters */
			sw_buf_put(b, s, 1);
		else
			sw_buf_puts(b, "?");
	}
}

static void put_case(struct sw_buf *b, json_t *row)
{
	const char *error = sw_json_str(row, "error");
	sw_buf_puts(b, "  <testcase classname=\"");
	put_xml(b, sw_json_str(row, "policy"));
	sw_buf_puts(b, "\" name=\"");
	put_xml(b, sw_json_str(row, "test"));
	sw_buf_printf(b, "\" time=\"%.6f\"", json_object_get_double(sw_json_key(row, "milliseconds")) / 1e3);
	if (!error) {
		sw_buf_puts(b, "/>\n");
		return;
	}
	sw_buf_puts(b, "><failure message=\"");
	put_xml(b, error);
	sw_buf_puts(b, "\"/></testcase>\n");
}

static struct sw_err write_junit(const struct suite *s)
{
	struct sw_buf b;
	sw_buf_init(&b, 64 << 20);
	sw_buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	sw_buf_printf(&b, " <testsuite name=\"spillway policy test\" tests=\"%d\" failures=\"%d\">\n",
		      s->passed + s->failed, s->failed);
	for (size_t i = 0; i < sw_json_len(s->rows); i++)
		put_case(&b, sw_json_idx(s->rows, i));
	sw_buf_puts(&b, " </testsuite>\n</testsuites>\n");
	struct sw_err e = sw_buf_ok(&b) ? sw_file_write(s->args->junit, b.at, b.len, 0644)
					: sw_err(SW_E_TOOBIG, "%s: the results are too long", s->args->junit);
	sw_buf_fini(&b);
	return e;
}

int policy_test(const struct cli_command *self, const struct policy_args *a, int n, char **words)
{
	struct suite s = {.args = a, .rows = json_object_new_array()};
	char *here[] = {(char[]){"."}};
	int rc = CLI_OK;
	for (int i = 0; i < (n ? n : 1); i++) {
		struct sw_err e = run_word(&s, n ? words[i] : *here);
		if (sw_failed(e))
			rc = cli_fail(self, "%s", e.text);
	}
	if (a->json)
		cli_print_json(stdout, s.rows);
	else if (s.files > 1)
		printf("%d policies: %d passed, %d failed\n", s.files, s.passed, s.failed);
	struct sw_err e = a->junit ? write_junit(&s) : SW_OK;
	if (sw_failed(e))
		rc = cli_fail(self, "%s", e.text);
	json_object_put(s.rows);
	return rc != CLI_OK || s.failed ? CLI_FAILED : CLI_OK;
}
