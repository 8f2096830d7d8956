/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - writes and reads the plan in the check's message
 */
#include "plan.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/text.h"

#define TAIL " [plan1 "
enum { NAME_MAX_BYTES = 128 };

void plan_init(struct plan *p)
{
	p->n = p->at = 0;
	p->until_ms = p->gang = p->lease_s = p->cost_micro = 0;
	p->win_cluster = p->win_pool = p->policy = 0;
	p->text[0] = '\0';
	p->used = 1;
}

/* ---- names --------------------------------------------------------------------- */

/* Keeps a name; the same name is kept once. 0: no room, or no name at all. */
static uint16_t name_keep(struct plan *p, const char *name, size_t len)
{
	for (uint16_t at = 1; at < p->used; at = (uint16_t)(at + strlen(p->text + at) + 1))
		if (strlen(p->text + at) == len && memcmp(p->text + at, name, len) == 0)
			return at;
	if (len == 0 || len > NAME_MAX_BYTES || p->used + len + 1 > PLAN_TEXT)
		return 0;
	uint16_t at = p->used;
	memcpy(p->text + at, name, len);
	p->text[at + len] = '\0';
	p->used = (uint16_t)(p->used + len + 1);
	return at;
}

bool plan_add(struct plan *p, struct plan_step *s, const char *cluster, const char *pool)
{
	struct plan_place place = {name_keep(p, cluster, strlen(cluster)), name_keep(p, pool, strlen(pool))};
	if (!place.cluster || !place.pool || s->n == SW_STEP_CANDIDATES)
		return false;
	s->place[s->n++] = place;
	return true;
}

void plan_set_policy(struct plan *p, const char *hash)
{
	p->policy = name_keep(p, hash, strlen(hash));
}

bool plan_set_winner(struct plan *p, const char *cluster, const char *pool)
{
	p->win_cluster = name_keep(p, cluster, strlen(cluster));
	p->win_pool = name_keep(p, pool, strlen(pool));
	return p->win_cluster && p->win_pool;
}

/* ---- writing --------------------------------------------------------------------- */

static void put_name(struct sw_buf *b, const char *name)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;
		if (isalnum(c) || c == '-' || c == '.' || c == '_')
			sw_buf_putc(b, (char)c);
		else
			sw_buf_printf(b, "%%%02x", c);
	}
}

static void put_place(struct sw_buf *b, const struct plan *p, uint16_t cluster, uint16_t pool)
{
	put_name(b, plan_text(p, cluster));
	sw_buf_putc(b, '/');
	put_name(b, plan_text(p, pool));
}

static void put_step(struct sw_buf *b, const struct plan *p, const struct plan_step *s)
{
	sw_buf_printf(b, "%lld:", (long long)s->patience_ms);
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			sw_buf_putc(b, ',');
		put_place(b, p, s->place[i].cluster, s->place[i].pool);
	}
}

static void put_steps(struct sw_buf *b, const struct plan *p)
{
	sw_buf_printf(b, " s=%zu t=%lld p=", p->at + 1, (long long)p->until_ms);
	for (size_t i = 0; i < p->n; i++) {
		struct sw_buf one;
		sw_buf_init(&one, PLAN_MESSAGE);
		if (i)
			sw_buf_putc(&one, ';');
		put_step(&one, p, &p->step[i]);
		bool fits = sw_buf_ok(&one) && b->len + one.len + 256 < PLAN_MESSAGE;
		if (fits)
			sw_buf_put(b, one.at, one.len);
		sw_buf_fini(&one);
		if (!fits)
			return;
	}
}

static void put_tail(struct sw_buf *b, const struct plan *p)
{
	sw_buf_puts(b, " [plan1");
	if (p->win_cluster) {
		sw_buf_puts(b, " w=");
		put_place(b, p, p->win_cluster, p->win_pool);
	}
	if (p->policy) {
		sw_buf_puts(b, " h=");
		put_name(b, plan_text(p, p->policy));
	}
	if (p->lease_s)
		sw_buf_printf(b, " l=%lld", (long long)p->lease_s);
	if (p->cost_micro > 0)
		sw_buf_printf(b, " c=%lld", (long long)p->cost_micro);
	if (p->gang)
		sw_buf_printf(b, " g=%lld", (long long)p->gang);
	if (p->n)
		put_steps(b, p);
	sw_buf_putc(b, ']');
}

void plan_encode(const struct plan *p, const char *sentence, char out[PLAN_MESSAGE])
{
	struct sw_buf b;
	char words[PLAN_SENTENCE];
	sw_buf_init(&b, PLAN_MESSAGE - 1);
	sw_cut(words, sizeof words, sentence);
	for (char *c = words; *c; c++) /* the tail must stay the only thing in brackets */
		*c = *c == '[' ? '(' : *c == ']' ? ')' : (unsigned char)*c < ' ' ? ' ' : *c;
	sw_buf_puts(&b, words);
	if (p && (p->n || p->win_cluster))
		put_tail(&b, p);
	sw_cut(out, PLAN_MESSAGE, sw_buf_ok(&b) && b.at ? b.at : words);
	sw_buf_fini(&b);
}

/* ---- reading ----------------------------------------------------------------------- */

static const char *tail_find(const char *message)
{
	const char *found = NULL;
	for (const char *at = message; (at = strstr(at, TAIL)); at++)
		found = at;
	return found;
}

void plan_sentence(const char *message, char out[PLAN_SENTENCE])
{
	const char *tail = tail_find(message);
	size_t n = tail ? (size_t)(tail - message) : strlen(message);
	char cut[PLAN_SENTENCE];
	if (n >= sizeof cut)
		n = sizeof cut - 1;
	memcpy(cut, message, n);
	cut[n] = '\0';
	sw_cut(out, PLAN_SENTENCE, cut);
}

void plan_reason(const char *message, char out[PLAN_SENTENCE])
{
	plan_sentence(message, out);
	char *steps = strstr(out, "; step "), *at = strstr(out, ": ");
	bool placed = strncmp(out, "placed on ", 10) == 0 || strncmp(out, "runs on ", 8) == 0;
	if (steps)
		*steps = '\0';
	if (placed && at)
		memmove(out, at + 2, strlen(at + 2) + 1);
	else if (placed || !steps)
		out[0] = '\0';
}

/* Decimal digits only, from 0 to 2^53. */
static bool read_number(const char **at, int64_t *out)
{
	int64_t v = 0;
	const char *s = *at;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (*s - '0');
		if (v > (int64_t)1 << 53)
			return false;
	}
	bool any = s != *at;
	*at = s;
	*out = v;
	return any;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A percent-encoded name up to a character that cannot be in one. */
static uint16_t read_name(struct plan *p, const char **at)
{
	char name[NAME_MAX_BYTES + 1];
	size_t n = 0;
	const char *s = *at;
	for (; isalnum((unsigned char)*s) || *s == '-' || *s == '.' || *s == '_' || *s == '%'; s++) {
		char c = *s;
		if (c == '%') {
			int hi = hex(s[1]), lo = hi < 0 ? -1 : hex(s[2]);
			if (lo < 0 || hi * 16 + lo == 0)
				return 0;
			c = (char)(hi * 16 + lo);
			s += 2;
		}
		if (n == NAME_MAX_BYTES)
			return 0;
		name[n++] = c;
	}
	*at = s;
	return name_keep(p, name, n);
}

static bool read_place(struct plan *p, const char **at, uint16_t *cluster, uint16_t *pool)
{
	*cluster = read_name(p, at);
	if (!*cluster || **at != '/')
		return false;
	++*at;
	*pool = read_name(p, at);
	return *pool;
}

static bool read_step(struct plan *p, const char **at)
{
	if (p->n == SW_PLAN_STEPS)
		return false;
	struct plan_step *s = &p->step[p->n];
	s->n = 0;
	if (!read_number(at, &s->patience_ms) || **at != ':' || s->patience_ms > (int64_t)SW_PATIENCE_MAX_S * 1000)
		return false;
	do {
		++*at; /* ':' or ',' */
		struct plan_place place;
		if (s->n == SW_STEP_CANDIDATES || !read_place(p, at, &place.cluster, &place.pool))
			return false;
		s->place[s->n++] = place;
	} while (**at == ',');
	p->n++;
	return true;
}

static bool read_steps(struct plan *p, const char **at)
{
	do {
		if (p->n)
			++*at; /* ';' */
		if (!read_step(p, at))
			return false;
	} while (**at == ';');
	return true;
}

static bool read_field(struct plan *p, char key, const char **at, int64_t *step)
{
	switch (key) {
	case 's':
		return read_number(at, step);
	case 't':
		return read_number(at, &p->until_ms);
	case 'l':
		return read_number(at, &p->lease_s);
	case 'g':
		return read_number(at, &p->gang);
	case 'c':
		return read_number(at, &p->cost_micro);
	case 'h':
		return (p->policy = read_name(p, at)) != 0;
	case 'w':
		return read_place(p, at, &p->win_cluster, &p->win_pool);
	case 'p':
		return p->n == 0 && read_steps(p, at);
	default:
		return false;
	}
}

static bool read_fields(struct plan *p, const char *at)
{
	int64_t step = 1;
	for (;;) {
		char key = *at;
		if (key == '\0' || at[1] != '=')
			return false;
		at += 2;
		if (!read_field(p, key, &at, &step))
			return false;
		if (*at == ']')
			break;
		if (*at++ != ' ')
			return false;
	}
	if (at[1] != '\0' || step < 1)
		return false;
	p->at = (size_t)step - 1;
	return p->n == 0 || p->at < p->n;
}

bool plan_decode(struct plan *p, const char *message)
{
	plan_init(p);
	const char *tail = strlen(message) < PLAN_MESSAGE ? tail_find(message) : NULL;
	if (tail && read_fields(p, tail + strlen(TAIL)))
		return true;
	plan_init(p);
	return false;
}
