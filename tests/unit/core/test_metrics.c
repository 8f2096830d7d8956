/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "spillway/metrics.h"

static struct sw_metrics *reg;
static struct sw_buf b;

static void setup(void)
{
	cr_assert(!sw_failed(sw_metrics_new(&reg)));
	sw_buf_init(&b, 1 << 22);
}

static const char *text(void)
{
	sw_buf_reset(&b);
	sw_metrics_text(reg, &b);
	cr_assert(sw_buf_ok(&b));
	return b.at ? b.at : "";
}

static void finish(void)
{
	sw_buf_fini(&b);
	sw_metrics_free(reg);
}

TestSuite(metrics, .init = setup);

Test(metrics, counters_and_gauges_are_written_in_the_order_they_were_made)
{
	struct sw_metric *c = sw_metric(reg, SW_COUNTER, "sw_b_total", "Things, by place.", "place,result");
	struct sw_metric *g = sw_metric(reg, SW_GAUGE, "sw_a", "A level.", "");

	sw_metric_add(c, 1, "east", "ok");
	sw_metric_add(c, 2, "west", "ok");
	sw_metric_add(c, 1.5, "east", "ok");
	sw_metric_set(g, -4);
	sw_metric_add(g, 1);
	cr_assert_str_eq(text(),
			 "# HELP sw_b_total Things, by place.\n# TYPE sw_b_total counter\n"
			 "sw_b_total{place=\"east\",result=\"ok\"} 2.5\nsw_b_total{place=\"west\",result=\"ok\"} 2\n"
			 "# HELP sw_a A level.\n# TYPE sw_a gauge\nsw_a -3\n");
	cr_assert_eq(sw_metric_get(c, "east", "ok"), 2.5);
	cr_assert_eq(sw_metric_get(c, "north", "ok"), 0);
	cr_assert_null(strstr(text(), "north"), "looking makes no series");
	finish();
}

Test(metrics, a_metric_without_labels_shows_zero_from_the_start)
{
	sw_metric(reg, SW_COUNTER, "sw_c_total", "C.", "");
	cr_assert(strstr(text(), "\nsw_c_total 0\n"));
	cr_assert_eq(sw_metric(reg, SW_COUNTER, "sw_c_total", "C.", ""),
		     sw_metric(reg, SW_COUNTER, "sw_c_total", "C.", ""));
	finish();
}

Test(metrics, histograms_count_upward_and_end_at_infinity)
{
	struct sw_metric *h = sw_metric(reg, SW_HISTOGRAM, "sw_s", "Seconds.", "op");

	sw_metric_observe(h, 0, "get");
	sw_metric_observe(h, .001, "get");
	sw_metric_observe(h, 2, "get");
	sw_metric_observe(h, 1e6, "get");
	text();
	cr_assert(strstr(b.at, "# TYPE sw_s histogram\n"));
	cr_assert(strstr(b.at, "sw_s_bucket{op=\"get\",le=\"0.0005\"} 1\n"));
	cr_assert(strstr(b.at, "sw_s_bucket{op=\"get\",le=\"0.001\"} 2\n"), "a bound belongs to its bucket");
	cr_assert(strstr(b.at, "sw_s_bucket{op=\"get\",le=\"1\"} 2\n"));
	cr_assert(strstr(b.at, "sw_s_bucket{op=\"get\",le=\"2.5\"} 3\n"));
	cr_assert(strstr(b.at, "sw_s_bucket{op=\"get\",le=\"3600\"} 3\n"));
	cr_assert(strstr(b.at, "sw_s_bucket{op=\"get\",le=\"+Inf\"} 4\n"));
	cr_assert(strstr(b.at, "sw_s_sum{op=\"get\"} 1000002.001\n"));
	cr_assert(strstr(b.at, "sw_s_count{op=\"get\"} 4\n"));
	cr_assert_eq(sw_metric_get(h, "get"), 4);
	finish();
}

Test(metrics, label_values_from_outside_cannot_break_the_text)
{
	struct sw_metric *c = sw_metric(reg, SW_COUNTER, "sw_c_total", "Help with \\ and\nnewline.", "v");
	char big[5000];

	sw_metric_add(c, 1, "a\"} 5\nevil 1\\");
	sw_metric_add(c, 1, "\xFF\xC3");
	sw_metric_add(c, 1, (const char *)NULL);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	sw_metric_add(c, 1, big);
	sw_metric_add(c, 1, big);
	text();
	cr_assert(strstr(b.at, "# HELP sw_c_total Help with \\\\ and\\nnewline.\n"));
	cr_assert(strstr(b.at, "sw_c_total{v=\"a\\\"} 5\\nevil 1\\\\\"} 1\n"));
	cr_assert(strstr(b.at, "sw_c_total{v=\"\xEF\xBF\xBD\xEF\xBF\xBD\"} 1\n"));
	cr_assert(strstr(b.at, "sw_c_total{v=\"\"} 1\n"));
	cr_assert_lt(b.len, 700);
	cr_assert_eq(sw_metric_get(c, big), 2);
	finish();
}

Test(metrics, a_label_never_fills_the_memory)
{
	struct sw_metric *c = sw_metric(reg, SW_COUNTER, "sw_c_total", "C.", "v");
	char v[32];
	int lines = 0;

	for (int i = 0; i < 12000; i++) {
		snprintf(v, sizeof(v), "value-%d", i);
		sw_metric_add(c, 1, v);
	}
	cr_assert_eq(sw_metric_get(c, "other"), 2000);
	cr_assert_eq(sw_metric_get(c, "value-9999"), 1);
	cr_assert_eq(sw_metric_get(c, "value-10000"), 0);
	for (const char *p = text(); *p; p++)
		lines += *p == '\n';
	cr_assert_eq(lines, 10003);
	finish();
}

Test(metrics, what_is_gone_has_no_series)
{
	struct sw_metric *g = sw_metric(reg, SW_GAUGE, "g", "G.", "v");

	sw_metric_set(g, 1, "a");
	sw_metric_set(g, 2, "b");
	sw_metric_forget(g, "a");
	sw_metric_forget(g, "never");
	cr_assert(!strstr(text(), "\"a\"") && strstr(text(), "g{v=\"b\"} 2\n"), "%s", text());
	sw_metric_set(g, 3, "a");
	cr_assert_eq(sw_metric_get(g, "a"), 3);
	finish();
}

Test(metrics, odd_numbers_have_their_words)
{
	struct sw_metric *g = sw_metric(reg, SW_GAUGE, "g", "G.", "v");

	sw_metric_set(g, NAN, "nan");
	sw_metric_set(g, INFINITY, "inf");
	sw_metric_set(g, -INFINITY, "minus");
	sw_metric_set(g, .1, "tenth");
	sw_metric_set(g, 1e18, "big");
	text();
	cr_assert(strstr(b.at, "{v=\"nan\"} NaN\n"));
	cr_assert(strstr(b.at, "{v=\"inf\"} +Inf\n"));
	cr_assert(strstr(b.at, "{v=\"minus\"} -Inf\n"));
	cr_assert(strstr(b.at, "{v=\"tenth\"} 0.1\n"));
	cr_assert(strstr(b.at, "{v=\"big\"} 1e+18\n"));
	finish();
}

Test(metrics, without_a_registry_every_call_does_nothing)
{
	struct sw_metric *m = sw_metric(NULL, SW_COUNTER, "x", "X.", "a,b");

	cr_assert_null(m);
	sw_metric_add(m, 1, "a", "b");
	sw_metric_set(m, 1, "a", "b");
	sw_metric_observe(m, 1, "a", "b");
	cr_assert_eq(sw_metric_get(m, "a", "b"), 0);
	sw_metrics_text(NULL, &b);
	sw_metrics_free(NULL);
	finish();
}

Test(metrics, one_name_with_two_types_is_a_bug, .signal = SIGABRT)
{
	sw_metric(reg, SW_COUNTER, "x", "X.", "");
	sw_metric(reg, SW_GAUGE, "x", "X.", "");
}
