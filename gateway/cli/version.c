/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - `spillway version` */
#include <curl/curl.h>
#include <lua.h>
#include <microhttpd.h>
#include <sqlite3.h>

#include "cli.h"

static int run(const struct cli_command *self, int argc, char **argv)
{
	const char *output = NULL;
	const struct cli_option options[] = {{"output", 'o', "FORMAT", "table (default) or json", &output, NULL},
					     CLI_OPTION_END};
	int words;
	bool json;
	if (!cli_parse(self, options, argc, argv, &words) || !cli_wants_json(self, output, &json))
		return CLI_USAGE;
	const struct {
		const char *name, *version;
	} rows[] = {
		{"spillway", SW_VERSION},
		{"libuv", uv_version_string()},
		{"libcurl", curl_version_info(CURLVERSION_NOW)->version},
		{"libmicrohttpd", MHD_get_version()},
		{"sqlite", sqlite3_libversion()},
		{"lua", LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE},
		{"json-c", json_c_version()},
	};
	if (!json) {
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			printf("%-14s %s\n", rows[i].name, rows[i].version);
		return CLI_OK;
	}
	json_t *o = json_object_new_object();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		json_object_object_add(o, rows[i].name, json_object_new_string(rows[i].version));
	cli_print_json(stdout, o);
	json_object_put(o);
	return CLI_OK;
}

const struct cli_command cli_version = {
	.name = "version",
	.usage = "[-o json]",
	.summary = "Print the version and those of the libraries in use",
	.examples = "  spillway version -o json\n",
	.run = run,
};
