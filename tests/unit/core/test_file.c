/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spillway/text.h"

static char dir[] = "/tmp/spillway-file-XXXXXX";

static void enter(void)
{
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static int files(void)
{
	DIR *d = opendir(".");
	int n = 0;

	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void leave(void)
{
	char *cmd = sw_asprintf("rm -rf '%s'", dir);

	if (system(cmd) != 0)
		abort();
	free(cmd);
}

TestSuite(file, .init = enter, .fini = leave);

Test(file, what_was_written_is_read_with_its_mode_and_nothing_lies_beside)
{
	struct stat st;
	char *text;
	size_t len;

	cr_assert(!sw_failed(sw_file_write("f", "old", 3, 0644)));
	cr_assert(!sw_failed(sw_file_write("f", "ne\0w", 4, 0600)));
	cr_assert(!sw_failed(sw_file_read("f", 4, &text, &len)));
	cr_assert(len == 4 && !memcmp(text, "ne\0w", 5));
	free(text);
	cr_assert_eq(stat("f", &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(files(), 1);
}

Test(file, a_write_that_cannot_be_done_leaves_the_old_file_and_no_other)
{
	struct sw_err e;

	cr_assert_eq(mkdir("d", 0755), 0);
	e = sw_file_write("d", "x", 1, 0644);
	cr_assert_eq(e.code, SW_E_IO);
	cr_assert(strstr(e.text, "d: cannot replace"));
	cr_assert_eq(files(), 1);
	e = sw_file_write("none/f", "x", 1, 0644);
	cr_assert_eq(e.code, SW_E_MISSING);
}

Test(file, a_missing_unreadable_or_large_file_says_so)
{
	struct sw_err e;
	char *text;
	size_t len;

	e = sw_file_read("none", 10, &text, &len);
	cr_assert_eq(e.code, SW_E_MISSING);
	cr_assert(strstr(e.text, "none: cannot open"));
	e = sw_file_read(".", 10, &text, NULL);
	cr_assert_eq(e.code, SW_E_IO);
	cr_assert(!sw_failed(sw_file_write("big", "0123456789", 10, 0644)));
	cr_assert(!sw_failed(sw_file_read("big", 10, &text, &len)));
	free(text);
	e = sw_file_read("big", 9, &text, &len);
	cr_assert_eq(e.code, SW_E_TOOBIG);
	cr_assert(!text && !len);
}

Test(file, a_file_without_a_size_is_read_to_its_end)
{
	char *text;
	size_t len;

	cr_assert(!sw_failed(sw_file_read("/proc/self/status", 1 << 20, &text, &len)));
	cr_assert_gt(len, 100);
	free(text);
	cr_assert_eq(sw_file_read("/dev/zero", 100000, &text, &len).code, SW_E_TOOBIG,
		     "endless files end at the limit");
}

Test(file, directories_are_made_on_the_way)
{
	struct stat st;

	cr_assert(!sw_failed(sw_mkdirs("a/b//c/", 0700)));
	cr_assert(!sw_failed(sw_mkdirs("a/b/c", 0700)), "again is fine");
	cr_assert_eq(stat("a/b/c", &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	cr_assert(!sw_failed(sw_file_write("a/f", "", 0, 0644)));
	cr_assert(strstr(sw_mkdirs("a/f/g", 0700).text, "not a directory"));
	cr_assert(strstr(sw_mkdirs("a/f", 0700).text, "not a directory"));
	cr_assert_eq(sw_mkdirs("", 0700).code, SW_E_INVALID);
	cr_assert(!sw_failed(sw_mkdirs("/", 0700)));
}
