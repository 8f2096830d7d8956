/* SPDX-License-Identifier: Apache-2.0 */
/* test_decision.c - recorded decisions: what is written is read, a replay gives the same plan, hostile lines are
 * refused */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "spillway/blob.h"
#include "spillway/decision.h"
#include "spillway/text.h"

static struct sw_catalog *catalog(void)
{
	struct sw_catalog *c;
	struct sw_err e = sw_catalog_load(&c);
	cr_assert(!sw_failed(e), "%s", e.text);
	return c;
}

struct made {
	struct sw_policy_input in;
	struct sw_demand demand;
	struct sw_candidate c[12];
	char pools[12][16];
};

/* Every field has a value of its own, awkward ones among them. */
static void make(struct made *m, const struct sw_catalog *cat, unsigned seed)
{
	static const struct sw_policy_label labels[] = {{"team", "a \"b\"\n\xc3\xa9"}, {"x/y", ""}};
	static const struct sw_policy_attempt attempts[] = {{.cluster = "gke",
							     .pool = "h100",
							     .outcome = "preempted",
							     .reason = "spot",
							     .began_ms = 1763999000001,
							     .ended_ms = 1763999900777,
							     .spot = true}};
	memset(m, 0, sizeof *m);
	m->demand = (struct sw_demand){.n_sets = 2,
				       .gpus = 8,
				       .n_models = 2,
				       .models = {sw_catalog_gpu(cat, "H100"), sw_catalog_gpu(cat, "A100-80GB")},
				       .gpu_memory_bytes = (40LL << 30) + 12345,
				       .has_precision = seed % 2,
				       .precision = SW_FP8,
				       .spot = seed % 3 ? SW_SPOT_ALLOW : SW_SPOT_REQUIRE,
				       .max_price = seed % 2 ? 1234.5678901234567 : INFINITY,
				       .deadline_ms = seed % 4 ? 7200123 : 0,
				       .data = seed % 2 ? "s3://bucket@europe-west4:500Gi" : NULL};
	snprintf(m->demand.sets[0].name, sizeof m->demand.sets[0].name, "master");
	m->demand.sets[0] = (struct sw_podset){.name = "master", .count = 1, .cpu_milli = 1500, .gpus = 0};
	m->demand.sets[1] = (struct sw_podset){
		.name = "worker", .count = 2, .cpu_milli = 333, .memory_bytes = (3LL << 30) + 1, .gpus = 4};
	for (unsigned i = 0; i < 12; i++) {
		unsigned r = seed * 31 + i * 7;
		snprintf(m->pools[i], sizeof m->pools[i], "pool %u", i);
		m->c[i] = (struct sw_candidate){.cluster = i % 2 ? "gke" : "onprem",
						.pool = m->pools[i],
						.provider = "sim",
						.region = "europe-west4",
						.zone = i % 3 ? "z" : "",
						.model = i % 2 ? "H100" : "A100-80GB",
						.free = r % 9,
						.total = 16,
						.nodes_needed = (int)(r % 4),
						.queue_depth = (int)(r % 5),
						.expected_start_ms = r % 6 ? (int64_t)r * 1001 : -1,
						.price_hour = r % 7 ? (double)r / 3 : NAN,
						.price_age_ms = 86400001,
						.spot = r % 5 == 0,
						.growable = i % 2,
						.stockout_until_ms = r % 8 == 1 ? 1764000000123 + r * 1003 : 0,
						.quota_left = r % 3 ? (int)r : -1,
						.machine = "a3-highgpu-8g",
						.gpus_per_node = 8,
						.nodes = 1,
						.nodes_max = 9,
						.in_flight = (int)(r % 2),
						.on_demand_hour = 98.7654321,
						.budget_known = r % 2,
						.budget_left_hour = -1.5,
						.egress_known = r % 3,
						.egress_cost = 0};
		m->c[i].gpu = sw_catalog_gpu(cat, m->c[i].model);
	}
	m->in = (struct sw_policy_input){
		.key = "ns/job",
		.job_name = "job",
		.ns = "ns",
		.queue = "team",
		.kind = "PyTorchJob",
		.priority = -7,
		.waited_ms = 61001,
		.attempt = 1 + seed % 3,
		.demand = &m->demand,
		.candidates = m->c,
		.n_candidates = 12,
		.now_ms = 1764000000123,
		.cluster_queue = "cq",
		.labels = labels,
		.n_labels = 2,
		.attempts = attempts,
		.n_attempts = 1,
		.budget = {.limit = 1000, .spent = 0.1, .window_ms = 86400000, .elapsed_ms = 1},
		.committed_hour = 3.3,
		.max_hour = 100};
}

static void write_line(struct sw_buf *b, const struct made *m, const struct sw_policy_plan *plan, struct sw_err e)
{
	struct sw_decision d = {.policy = "policies/x.lua",
				.hash = "0123456789abcdef",
				.in = &m->in,
				.plan = plan,
				.error = e.text,
				.instructions = 812};
	sw_decision_write(b, &d);
	cr_assert(sw_buf_ok(b));
}

/* The policies that are shipped, and one whose plan depends on every last digit of its input. */
static const char nosy[] =
	"local function walk(s, o) return s .. '|' .. tostring(o) end\n"
	"function place(w, candidates, ctx)\n"
	"  local s = ''\n"
	"  for _, k in ipairs({ 'key', 'queue', 'waited', 'attempt', 'gpus', 'gpu_memory', 'max_price', 'deadline', "
	"'data', "
	"'spot', 'precision', 'priority' }) do s = walk(s, w[k]) end\n"
	"  local list = {}\n"
	"  for i, c in ipairs(candidates) do\n"
	"    for _, k in ipairs({ 'pool', 'free', 'nodes_needed', 'expected_start', 'price', 'price_age', 'stockout', "
	"'quota_left', 'spot', 'growable' }) do s = walk(s, c[k]) end\n"
	"    list[i] = { c = c, r = math.random() }\n"
	"  end\n"
	"  s = walk(s, ctx.now)\n"
	"  local sum = 0 for i = 1, #s do sum = (sum * 31 + s:byte(i)) % 1000003 end\n"
	"  table.sort(list, function(a, b) return a.r < b.r end)\n"
	"  return { { candidates = { list[1 + sum % #list].c, list[1 + (sum + 5) % #list].c }, patience = 1 + sum / 7 "
	"}, "
	"reason = 'sum ' .. sum }\n"
	"end\n";

static void replay_gives_the_same(struct sw_policy *p, const struct sw_catalog *cat, unsigned seed)
{
	struct made m;
	struct sw_policy_plan plan, again;
	struct sw_decision_read d;
	struct sw_buf b;
	make(&m, cat, seed);
	sw_buf_init(&b, 1 << 20);
	struct sw_err e = sw_policy_place(p, &m.in, &plan);
	write_line(&b, &m, sw_failed(e) ? NULL : &plan, e);
	e = sw_decision_parse(b.at, b.len - 1, cat, &d);
	cr_assert(!sw_failed(e), "%s: %s", e.text, b.at);
	cr_assert(!d.failed, "%s", d.error);
	cr_assert_str_eq(d.hash, "0123456789abcdef");
	e = sw_policy_place(p, sw_policy_question_input(d.question), &again);
	cr_assert(!sw_failed(e), "%s", e.text);
	cr_assert(sw_plan_equal(&plan, &again), "seed %u of %s: \"%s\" became \"%s\"", seed, sw_policy_name(p),
		  plan.reason, again.reason);
	cr_assert(sw_plan_equal(&plan, &d.plan), "seed %u of %s: the plan is read as it was written", seed,
		  sw_policy_name(p));
	sw_decision_read_fini(&d);
	sw_buf_fini(&b);
}

Test(decision, replays_of_the_same_policy_give_the_same_plan_exactly)
{
	struct sw_catalog *cat = catalog();
	char name[64];
	for (size_t i = 0; i == 0 || sw_policy_shipped(i - 1, name); i++) {
		struct sw_policy_text t = {0};
		struct sw_policy *p;
		struct sw_err e = i ? sw_policy_text_read(name, &t) : SW_OK;
		cr_assert(!sw_failed(e), "%s", e.text);
		e = i ? sw_policy_new(t.name, t.src, t.len, (struct sw_policy_limits){0}, &p)
		      : sw_policy_new("nosy.lua", nosy, strlen(nosy), (struct sw_policy_limits){0}, &p);
		cr_assert(!sw_failed(e), "%s", e.text);
		for (unsigned seed = 0; seed < 50; seed++)
			replay_gives_the_same(p, cat, seed);
		sw_policy_free(p);
		sw_policy_text_free(&t);
	}
	sw_catalog_free(cat);
}

Test(decision, what_is_written_again_is_byte_for_byte_the_same)
{
	struct sw_catalog *cat = catalog();
	for (unsigned seed = 0; seed < 20; seed++) {
		struct made m;
		struct sw_policy_plan plan = {.n = 1, .step[0] = {.n = 1, .candidate = {3}, .patience_ms = 1500}};
		struct sw_decision_read d;
		struct sw_buf a, b;
		make(&m, cat, seed);
		sw_buf_init(&a, 1 << 20);
		sw_buf_init(&b, 1 << 20);
		write_line(&a, &m, &plan, SW_OK);
		struct sw_err e = sw_decision_parse(a.at, a.len, cat, &d);
		cr_assert(!sw_failed(e), "%s", e.text);
		m.in = *sw_policy_question_input(d.question);
		write_line(&b, &m, &d.plan, SW_OK);
		cr_assert_str_eq(a.at, b.at);
		sw_decision_read_fini(&d);
		sw_buf_fini(&a);
		sw_buf_fini(&b);
	}
	sw_catalog_free(cat);
}

static const struct {
	const char *line, *says;
} hostile[] = {
	{"", "line 1"},
	{"null", "this is no decision"},
	{"[]", "this is no decision"},
	{"{\"workload\":{}}", "plan or error"},
	{"{\"workload\":7,\"error\":\"\"}", "workload: found 7"},
	{"{\"workload\":{\"gpus\":\"8\"},\"error\":\"\"}", "workload.gpus: found \"8\", expected a whole number"},
	{"{\"workload\":{\"gpus\":1.5},\"error\":\"\"}", "expected a whole number"},
	{"{\"workload\":{\"waited\":1e300},\"error\":\"\"}", "workload.waited"},
	{"{\"workload\":{\"gpu\":1,\"dedline\":1},\"error\":\"\"}", "did you mean"},
	{"{\"workload\":{\"spot\":\"sure\"},\"error\":\"\"}", "expected allow, never or require"},
	{"{\"workload\":{\"models\":[\"H999\"]},\"error\":\"\"}", "H999"},
	{"{\"workload\":{\"models\":\"H100\"},\"error\":\"\"}", "a list of GPU models"},
	{"{\"workload\":{\"pod_sets\":[[]]},\"error\":\"\"}", "a pod set"},
	{"{\"workload\":{\"labels\":[]},\"error\":\"\"}", "labels"},
	{"{\"workload\":{\"labels\":{\"a\":1}},\"error\":\"\"}", "labels.a"},
	{"{\"workload\":{\"name\":\"a\\u0000b\"},\"error\":\"\"}", "without a NUL"},
	{"{\"workload\":{\"attempts\":[{\"cluster\":null}]},\"error\":\"\"}", "an attempt.cluster"},
	{"{\"workload\":{},\"candidates\":{},\"error\":\"\"}", "expected a list"},
	{"{\"workload\":{},\"candidates\":[1],\"error\":\"\"}", "candidate 1: found 1"},
	{"{\"workload\":{},\"candidates\":[{\"prise\":1}],\"error\":\"\"}",
	 "candidate 1 has no field \"prise\", did you mean \"price\"?"},
	{"{\"workload\":{},\"candidates\":[{\"stockout\":\"x\"}],\"error\":\"\"}", "candidate 1.stockout"},
	{"{\"workload\":{},\"plan\":{\"steps\":[{}]}}", "step 1: expected 1 to 32 candidates"},
	{"{\"workload\":{},\"plan\":{\"steps\":[{\"candidates\":[1],\"patience\":1}]}}", "found candidate 1"},
	{"{\"workload\":{},\"candidates\":[{}],\"plan\":{\"steps\":[{\"candidates\":[-1],\"patience\":1}]}}",
	 "found candidate -1"},
	{"{\"workload\":{},\"candidates\":[{}],\"plan\":{\"steps\":[{\"candidates\":[1],\"patience\":-1}]}}",
	 "patience"},
	{"{\"workload\":{},\"ctx\":{\"now\":\"soon\"},\"error\":\"\"}", "ctx.now"},
};

Test(decision, hostile_lines_are_refused_by_name)
{
	struct sw_catalog *cat = catalog();
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		struct sw_decision_read d;
		struct sw_err e = sw_decision_parse(hostile[i].line, strlen(hostile[i].line), cat, &d);
		cr_assert(sw_failed(e), "row %zu was taken", i);
		cr_assert_not_null(strstr(e.text, hostile[i].says), "row %zu: %s", i, e.text);
	}
	sw_catalog_free(cat);
}

/* ---- the log ----------------------------------------------------------------------------- */

struct world {
	struct sw_loop *loop;
	struct sw_metrics *metrics;
	struct sw_catalog *cat;
	char dir[64], path[96];
};

static void world_open(struct world *w)
{
	snprintf(w->dir, sizeof w->dir, "/tmp/spillway-decisions-XXXXXX");
	cr_assert_not_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof w->path, "%s/d.jsonl", w->dir);
	w->cat = catalog();
	cr_assert(!sw_failed(sw_loop_new(&w->loop)));
	cr_assert(!sw_failed(sw_metrics_new(&w->metrics)));
}

static void world_close(struct world *w)
{
	char command[128];
	sw_metrics_free(w->metrics);
	sw_loop_free(w->loop);
	sw_catalog_free(w->cat);
	snprintf(command, sizeof command, "rm -rf %s", w->dir);
	cr_assert_eq(system(command), 0);
}

static struct sw_decision_log *log_open(struct world *w, size_t max, int files)
{
	struct sw_decision_log *l;
	struct sw_decision_log_options opt = {
		.loop = w->loop, .metrics = w->metrics, .path = w->path, .max_bytes = max, .files = files};
	cr_assert(!sw_failed(sw_decision_log_new(&opt, &l)));
	return l;
}

static void add(struct world *w, struct sw_decision_log *l, unsigned seed)
{
	struct made m;
	struct sw_policy_plan plan = {.n = 0};
	make(&m, w->cat, seed);
	sw_decision_log_add(l, &(struct sw_decision){.policy = "p", .hash = "h", .in = &m.in, .plan = &plan});
}

static double counted(struct world *w, const char *result)
{
	return sw_metric_get(sw_metric(w->metrics, SW_COUNTER, "spillway_decisions_recorded_total", "", "result"),
			     result);
}

static bool wait_for(struct world *w, const char *result, double n)
{
	for (int i = 0; i < 5000 && counted(w, result) < n; i++) {
		bool never = false;
		sw_loop_until(w->loop, &never, 2);
	}
	return counted(w, result) >= n;
}

/* Lines of one file that can be read as decisions. */
static int lines_of(struct world *w, const char *path)
{
	char *text;
	size_t len;
	int n = 0;
	if (sw_failed(sw_file_read(path, 64 << 20, &text, &len)))
		return -1;
	for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
		struct sw_decision_read d;
		if (end == at || sw_failed(sw_decision_parse(at, (size_t)(end - at), w->cat, &d)))
			continue;
		n++;
		sw_decision_read_fini(&d);
	}
	free(text);
	return n;
}

Test(record, decisions_are_appended_and_what_is_left_is_written_at_the_end)
{
	struct world w;
	struct stat st;
	world_open(&w);
	struct sw_decision_log *l = log_open(&w, 1 << 20, 3);
	add(&w, l, 1);
	add(&w, l, 2);
	cr_assert(wait_for(&w, "written", 2));
	add(&w, l, 3);
	sw_decision_log_free(l);
	cr_assert_eq(lines_of(&w, w.path), 3);
	cr_assert_eq(stat(w.path, &st), 0);
	cr_assert_eq(st.st_mode & 077, 0, "names of jobs are nobody else's business");
	FILE *f = fopen(w.path, "a"); /* as a crash leaves it */
	fputs("{\"time\":\"2026", f);
	fclose(f);
	l = log_open(&w, 1 << 20, 3);
	add(&w, l, 4);
	sw_decision_log_free(l);
	cr_assert_eq(lines_of(&w, w.path), 4, "half a line spoils no other");
	world_close(&w);
}

Test(record, files_rotate_and_the_oldest_goes)
{
	struct world w;
	char older[128];
	world_open(&w);
	struct sw_decision_log *l = log_open(&w, 10000, 3);
	for (unsigned i = 0; i < 12; i++) {
		add(&w, l, i);
		cr_assert(wait_for(&w, "written", i + 1));
	}
	sw_decision_log_free(l);
	int files = 0;
	DIR *d = opendir(w.dir);
	for (struct dirent *x; (x = readdir(d));)
		files += *x->d_name != '.';
	closedir(d);
	cr_assert_eq(files, 3);
	snprintf(older, sizeof older, "%s.2", w.path);
	cr_assert_gt(lines_of(&w, w.path), 0);
	cr_assert_gt(lines_of(&w, older), 0);
	world_close(&w);
}

Test(record, a_disk_that_takes_nothing_costs_lines_and_no_decision)
{
	struct world w;
	world_open(&w);
	snprintf(w.path, sizeof w.path, "%s/not/there.jsonl", w.dir);
	struct sw_decision_log *l = log_open(&w, 1 << 20, 3);
	add(&w, l, 1);
	cr_assert(wait_for(&w, "lost", 1));
	char where[128];
	snprintf(where, sizeof where, "%s/not", w.dir);
	cr_assert_eq(mkdir(where, 0700), 0);
	add(&w, l, 2);
	cr_assert(wait_for(&w, "written", 1), "it goes on when the disk does");
	for (unsigned i = 0; i < 3000; i++) /* far more than is kept while the thread is away */
		add(&w, l, i);
	sw_decision_log_free(l);
	cr_assert_eq(counted(&w, "written") + counted(&w, "lost"), 3002);
	cr_assert_gt(counted(&w, "lost"), 1);
	world_close(&w);
}

/* Short decimals take another way than the rest: both must read as they were. */
Test(decision, every_price_is_read_back_to_the_last_bit)
{
	static const double awkward[] = {
		0.1,         1e-3,          1e-6,     1e-7,       98.7654321, 0.0015,
		1234567.891, 999999999.999, 1e9 + .5, 1e15,       1e15 + .5,  1e300,
		5e-324,      -1.5,          -0.001,   0.999999,   2.675,      0.30000000000000004,
		1.0 / 3,     100.10,        33.333,   12.3456789, 7.000001,   0.0000005};
	enum { MANY = 4800 };
	struct sw_catalog *cat = catalog();
	struct made m;
	struct sw_policy_plan plan = {.n = 0};
	make(&m, cat, 1);
	for (unsigned i = 0; i < MANY; i += 12) {
		struct sw_buf b;
		struct sw_decision_read d;
		sw_buf_init(&b, 1 << 20);
		for (unsigned k = 0; k < 12; k++) {
			m.c[k].price_hour =
				i + k < sizeof awkward / sizeof *awkward ? awkward[i + k] : (i + k) * 0.0137;
			m.c[k].expected_start_ms = (int64_t)(i + k) * 77;
		}
		write_line(&b, &m, &plan, SW_OK);
		struct sw_err e = sw_decision_parse(b.at, b.len - 1, cat, &d);
		cr_assert(!sw_failed(e), "%s: %s", e.text, b.at);
		const struct sw_policy_input *in = sw_policy_question_input(d.question);
		for (unsigned k = 0; k < 12; k++) {
			cr_assert_eq(in->candidates[k].price_hour, m.c[k].price_hour, "%.17g became %.17g",
				     m.c[k].price_hour, in->candidates[k].price_hour);
			cr_assert_eq(in->candidates[k].expected_start_ms, m.c[k].expected_start_ms);
		}
		sw_decision_read_fini(&d);
		sw_buf_fini(&b);
	}
	sw_catalog_free(cat);
}
