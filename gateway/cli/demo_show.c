/* SPDX-License-Identifier: Apache-2.0 */
/* demo_show.c - the demo's live table, its lines where there is no terminal, and its summary */
#include <math.h>
#include <string.h>

#include "demo.h"
#include "spillway/text.h"

enum { WHY_WIDTH = 70 };

static double seconds(const struct demo_screen *s, const struct demo_story *t)
{
	return (double)(sw_loop_wall(t->site->loop) - s->began_ms) / 1000;
}

static enum cli_tone tone_of(enum demo_state s)
{
	static const enum cli_tone tones[DEMO__STATES] = {CLI_DIM, CLI_BUSY, CLI_BOLD, CLI_GOOD, CLI_BAD, CLI_BAD};
	return tones[s];
}

static void where_text(const struct demo_job *j, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", j->cluster ? j->cluster : "-", j->pool ? "/" : "", j->pool ? j->pool : "");
}

/* ---- live ------------------------------------------------------------------------------- */

/* At most `width` characters, whole ones. */
static void print_cut(FILE *to, const char *text, int width)
{
	int n = 0;
	const char *end = text;
	for (; *end; end++)
		if (((unsigned char)*end & 0xc0) != 0x80 && ++n > width)
			break;
	fprintf(to, "%.*s", (int)(end - text), text);
}

static void draw(struct demo_screen *s, const struct demo_story *t)
{
	int width = cli_terminal_columns(s->to, 120);
	char where[64];
	if (s->lines)
		fprintf(s->to, "\033[%dA", s->lines);
	fprintf(s->to, "\033[J%s%-20s %-10s %-14s%s\n", cli_tone_on(s->to, CLI_BOLD), "JOB", "STATE", "WHERE",
		cli_tone_off(s->to));
	s->lines = 1;
	for (size_t i = 0; i < t->n_jobs; i++, s->lines++) {
		const struct demo_job *j = &t->jobs[i];
		where_text(j, where, sizeof where);
		fprintf(s->to, "%-20s %s%-10s%s %-14s ", j->name, cli_tone_on(s->to, tone_of(j->state)),
			demo_state_name(j->state), cli_tone_off(s->to), where);
		print_cut(s->to, j->why ? j->why : "", width - 49);
		fputc('\n', s->to);
	}
	for (size_t i = 0; i < t->n_pools; i++) {
		const struct demo_pool *p = &t->pools[i];
		if (!p->growable)
			continue;
		fprintf(s->to, "%s%s/%s%s %d nodes  ", cli_tone_on(s->to, p->size ? CLI_BUSY : CLI_DIM), p->cluster,
			p->pool, cli_tone_off(s->to), p->size);
	}
	fprintf(s->to, " %.1f s\n", seconds(s, t));
	s->lines++;
	fflush(s->to);
}

static void tell(struct demo_screen *s, const struct demo_story *t)
{
	char where[64];
	for (size_t i = 0; i < t->n_jobs; i++) {
		const struct demo_job *j = &t->jobs[i];
		if (s->told[i] == j->state)
			continue;
		s->told[i] = j->state;
		where_text(j, where, sizeof where);
		fprintf(s->to, "%5.1f s  %-20s %-10s %-14s %s\n", seconds(s, t), j->name, demo_state_name(j->state),
			where, j->why ? j->why : "");
	}
	for (size_t i = 0; i < t->n_pools; i++) {
		const struct demo_pool *p = &t->pools[i];
		if (!p->growable || s->told_size[i] == p->size)
			continue;
		fprintf(s->to, "%5.1f s  pool %s/%s: %d -> %d nodes\n", seconds(s, t), p->cluster, p->pool,
			s->told_size[i], p->size);
		s->told_size[i] = p->size;
	}
	fflush(s->to);
}

void demo_show(struct demo_screen *s, const struct demo_story *t)
{
	if (s->live)
		draw(s, t);
	else
		tell(s, t);
}

/* ---- summary ------------------------------------------------------------------------------ */

/* At most `width` characters; what was cut is shown to be. */
static void cut_text(const char *from, int width, char *to, size_t size)
{
	int n = 0;
	const char *end = from;
	for (; *end && n <= width; end++)
		n += ((unsigned char)*end & 0xc0) != 0x80;
	snprintf(to, size, "%.*s%s", (int)(end - from), from, *end ? " ..." : "");
}

static json_t *summary_row(const struct demo_story *t, const struct demo_job *j)
{
	char text[512];
	double scale = demo_site_scale(t->site);
	json_t *row = json_object_new_object();
	where_text(j, text, sizeof text);
	sw_json_set_str(row, "job", j->name);
	sw_json_set_str(row, "asks", j->asks ? j->asks : "");
	sw_json_set_str(row, "where", text);
	sw_json_set_str(row, "result", demo_state_name(j->state));
	cut_text(j->why ? j->why : "", WHY_WIDTH, text, sizeof text);
	sw_json_set_str(row, "why", text);
	if (!j->placed_ms)
		return row;
	double run_s = (double)(j->ended_ms - j->placed_ms) / 1000 * scale;
	sw_json_set_str(row, "wait", sw_age_text((int64_t)((double)(j->placed_ms - j->submitted_ms) * scale), text));
	sw_json_set_str(row, "ran", sw_age_text((int64_t)(run_s * 1000), text));
	if (!isnan(j->price_hour))
		sw_json_set(row, "cost", json_object_new_double(j->price_hour * run_s / 3600));
	return row;
}

void demo_summary(struct demo_screen *s, const struct demo_story *t)
{
	static const struct cli_column cols[] = {
		{"JOB", "job", false, CLI_PLAIN},       {"ASKED FOR", "asks", false, CLI_PLAIN},
		{"RAN ON", "where", false, CLI_PLAIN},  {"WAITED", "wait", true, CLI_PLAIN},
		{"RAN", "ran", true, CLI_PLAIN},        {"COST", "cost", true, CLI_MONEY},
		{"RESULT", "result", false, CLI_STATE}, {"WHY", "why", false, CLI_LONG},
	};
	json_t *rows = json_object_new_array();
	for (size_t i = 0; i < t->n_jobs; i++)
		json_object_array_add(rows, summary_row(t, &t->jobs[i]));
	fprintf(s->to, "\n");
	cli_print_table(s->to, cols, sizeof cols / sizeof *cols, rows);
	json_object_put(rows);
	fprintf(s->to, "\n");
	for (size_t i = 0; i < t->n_pools; i++) {
		const struct demo_pool *p = &t->pools[i];
		if (p->growable && p->most)
			fprintf(s->to, "Pool %s/%s grew from 0 to %d node%s and is back at %d.\n", p->cluster, p->pool,
				p->most, p->most == 1 ? "" : "s", p->size);
	}
	fprintf(s->to, "Two jobs are here to go wrong: shards fails on purpose (2 of 8 indexes; the other six kept "
		       "their results), impossible waits on purpose.\n");
	fprintf(s->to, "Waits and runs are simulated time, %.0f times as fast as the clock; the whole took %.1f s.\n",
		demo_site_scale(t->site), seconds(s, t));
}
