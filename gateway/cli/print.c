/* SPDX-License-Identifier: Apache-2.0 */
/* print.c - tables for people, JSON for programs, colours only on a terminal */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "cli.h"
#include "spillway/text.h"

int cli_terminal_columns(FILE *to, int otherwise)
{
	struct winsize w;
	return ioctl(fileno(to), TIOCGWINSZ, &w) == 0 && w.ws_col > 40 ? w.ws_col : otherwise;
}

bool cli_colour(FILE *to)
{
	return isatty(fileno(to)) && !getenv("NO_COLOR");
}

const char *cli_tone_on(FILE *to, enum cli_tone tone)
{
	static const char *const codes[] = {"\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[1m"};
	return cli_colour(to) ? codes[tone] : "";
}

const char *cli_tone_off(FILE *to)
{
	return cli_colour(to) ? "\033[0m" : "";
}

enum cli_tone cli_state_tone(const char *word)
{
	static const struct {
		const char *word;
		enum cli_tone tone;
	} rows[] = {
		{"Succeeded", CLI_GOOD}, {"Complete", CLI_GOOD}, {"Running", CLI_GOOD}, {"Ready", CLI_GOOD},
		{"yes", CLI_GOOD},       {"fits", CLI_GOOD},     {"Failed", CLI_BAD},   {"NotReady", CLI_BAD},
		{"Lost", CLI_BAD},       {"never", CLI_BAD},     {"no", CLI_BAD},       {"problem", CLI_BAD},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].word, word) == 0)
			return rows[i].tone;
	return CLI_BUSY;
}

size_t cli_width(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80; /* count code points: what is printed here is narrow */
	return n;
}

static const char *cell_text(const struct cli_column *col, json_t *row, char *buf, size_t size)
{
	char small[32];
	json_t *v = sw_json_at(row, col->path);
	if (!v)
		return "-";
	if (col->form == CLI_MONEY) {
		snprintf(buf, size, "$%.2f", json_object_get_double(v));
		return buf;
	}
	if (col->form == CLI_AGE_MS) {
		snprintf(buf, size, "%s", sw_age_text(json_object_get_int64(v), small));
		return buf;
	}
	if (col->form == CLI_YESNO)
		return json_object_get_boolean(v) ? "yes" : "no";
	const char *s = json_object_get_string(v);
	return *s ? s : "-";
}

static void print_cell(FILE *to, const struct cli_column *col, const char *text, size_t width, bool last)
{
	size_t pad = width > cli_width(text) ? width - cli_width(text) : 0;
	bool coloured = col->form == CLI_STATE;
	if (col->right)
		fprintf(to, "%*s", (int)pad, "");
	fprintf(to, "%s%s%s", coloured ? cli_tone_on(to, cli_state_tone(text)) : "", text,
		coloured ? cli_tone_off(to) : "");
	if (!last)
		fprintf(to, "%*s", (int)(col->right ? 3 : pad + 3), "");
}

/* What fits on the line of a terminal, whole characters, with "..." where something is left out. */
static void print_fitting(FILE *to, const char *text, size_t before)
{
	int columns = cli_terminal_columns(to, 0), n = 0;
	int room = columns > (int)before + 20 ? columns - (int)before : 20;
	const char *end = text;
	if (!columns || cli_width(text) <= (size_t)room) {
		fputs(text, to);
		return;
	}
	for (; *end; end++)
		if (((unsigned char)*end & 0xc0) != 0x80 && ++n > room - 3)
			break;
	fprintf(to, "%.*s...", (int)(end - text), text);
}

void cli_print_table(FILE *to, const struct cli_column *cols, size_t n, json_t *rows)
{
	char buf[1024];
	size_t width[24] = {0}, before = 0;
	SW_REQUIRE(n <= 24);
	for (size_t c = 0; c < n; c++) {
		width[c] = cli_width(cols[c].title);
		for (size_t r = 0; r < sw_json_len(rows); r++) {
			size_t w = cli_width(cell_text(&cols[c], sw_json_idx(rows, r), buf, sizeof buf));
			width[c] = w > width[c] ? w : width[c];
		}
		before += c + 1 < n ? width[c] + 3 : 0;
	}
	for (size_t c = 0; c < n; c++)
		print_cell(to, &(struct cli_column){.right = cols[c].right}, cols[c].title, width[c], c + 1 == n);
	fputc('\n', to);
	for (size_t r = 0; r < sw_json_len(rows); r++) {
		for (size_t c = 0; c < n; c++) {
			if (cols[c].form == CLI_FIT) {
				print_fitting(to, cell_text(&cols[c], sw_json_idx(rows, r), buf, sizeof buf), before);
				continue;
			}
			print_cell(to, &cols[c], cell_text(&cols[c], sw_json_idx(rows, r), buf, sizeof buf), width[c],
				   c + 1 == n);
		}
		fputc('\n', to);
	}
}

void cli_print_json(FILE *to, json_t *value)
{
	fprintf(to, "%s\n",
		json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
}
