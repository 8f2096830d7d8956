/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit.c - `spillway submit -f FILE`: apply to the queue, then follow to the end
 *
 * The same as `kubectl apply` followed by a watch of the job's events. With several jobs in a file all are applied
 * first, then followed one after the other.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "spillway/kinds.h"
#include "spillway/text.h"
#include "spillway/yaml.h"

/* ---- following: one stream of the job's events, until the job itself has ended -------------------- */

struct follow;
struct stream {
	struct follow *f;
	struct sw_buf line;
	struct sw_kube_call *call;
};
struct follow {
	struct cli_client *c;
	const struct sw_kind *kind;
	const char *name, *uid;
	enum sw_outcome outcome;
	struct stream streams[2]; /* the job, its events */
	struct sw_err err;
	bool done;
};

static void print_event(json_t *event)
{
	char clock[16] = "";
	const char *at = sw_json_str(event, "lastTimestamp");
	bool warning = sw_json_str(event, "type") && strcmp(sw_json_str(event, "type"), "Warning") == 0;
	if (at && strlen(at) >= 19)
		snprintf(clock, sizeof clock, "%.8s", at + 11);
	printf("%s  %s%-22s%s %s\n", clock, cli_tone_on(stdout, warning ? CLI_BAD : CLI_BUSY),
	       sw_json_str(event, "reason"), cli_tone_off(stdout), sw_json_str(event, "message"));
	fflush(stdout);
}

static void on_object(struct follow *f, json_t *object)
{
	const char *why = "";
	const char *kind = sw_json_str(object, "kind");
	if (kind && strcmp(kind, "Event") == 0) {
		print_event(object);
		return;
	}
	f->outcome = f->kind->outcome(f->kind, object, &why);
	f->done = f->done || f->outcome != SW_UNFINISHED;
}

static void on_line(struct follow *f, const char *line, size_t n)
{
	json_t *ev;
	if (sw_failed(sw_json_parse(line, n, &ev)))
		return;
	const char *type = sw_json_str(ev, "type");
	json_t *object = sw_json_key(ev, "object");
	if (type && strcmp(type, "DELETED") == 0 && sw_json_str(object, "metadata.uid") &&
	    strcmp(sw_json_str(object, "metadata.uid"), f->uid) == 0) {
		f->err = sw_err(SW_E_MISSING, "%s %s was deleted", f->kind->kind, f->name);
		f->done = true;
	} else if (type && strcmp(type, "BOOKMARK") != 0 && strcmp(type, "ERROR") != 0) {
		on_object(f, object);
	}
	json_object_put(ev);
}

static void on_bytes(void *owner, const char *bytes, size_t n)
{
	struct stream *s = owner;
	const char *nl;
	sw_buf_put(&s->line, bytes, n);
	while (s->line.len && (nl = memchr(s->line.at, '\n', s->line.len))) {
		size_t len = (size_t)(nl - s->line.at);
		on_line(s->f, s->line.at, len);
		sw_buf_drop(&s->line, len + 1);
	}
}

static void on_end(void *owner, struct sw_err err, const struct sw_kube_reply *reply)
{
	struct follow *f = ((struct stream *)owner)->f;
	(void)reply;
	if (!f->done)
		f->err = sw_failed(err) ? err : sw_err(SW_E_NET, "the gateway ended the watch; the job goes on");
	f->done = true;
}

static struct sw_err open_stream(struct stream *s, struct follow *f, const char *group, const char *version,
				 const char *plural, const char *field, const char *value)
{
	struct sw_buf path, sel;
	s->f = f;
	sw_buf_init(&s->line, 8 << 20);
	sw_buf_init(&path, 8192);
	sw_buf_init(&sel, 1024);
	sw_buf_printf(&sel, "%s=%s", field, value);
	sw_kube_path(&path, group, version, plural, f->c->ns, NULL, NULL);
	sw_kube_query(&path, "watch", "true");
	sw_kube_query(&path, "fieldSelector", sel.at);
	struct sw_err e = sw_kube_stream(f->c->kube, path.at, on_bytes, on_end, s, &s->call);
	sw_buf_fini(&path);
	sw_buf_fini(&sel);
	return e;
}

static struct sw_err watch_job(struct follow *f)
{
	struct sw_err e = open_stream(&f->streams[0], f, f->kind->group, f->kind->version, f->kind->plural,
				      "metadata.name", f->name);
	return sw_failed(e) ? e : open_stream(&f->streams[1], f, "", "v1", "events", "involvedObject.uid", f->uid);
}

static int follow_job(const struct cli_command *self, struct cli_client *c, json_t *job)
{
	struct follow f = {.c = c,
			   .kind = sw_kind_of(job),
			   .name = sw_json_str(job, "metadata.name"),
			   .uid = sw_json_str(job, "metadata.uid")};
	if (!f.kind)
		return CLI_OK;
	struct sw_err e = watch_job(&f);
	while (!sw_failed(e) && !f.done)
		uv_run(sw_loop_uv(c->loop), UV_RUN_ONCE);
	f.done = true;
	sw_kube_free(c->kube); /* ends both streams */
	c->kube = NULL;
	for (int i = 0; i < 2; i++)
		sw_buf_fini(&f.streams[i].line);
	if (sw_failed(e) || sw_failed(f.err))
		return cli_fail(self, "%s", sw_failed(e) ? e.text : f.err.text);
	bool good = f.outcome == SW_SUCCEEDED;
	printf("%s%s %s %s%s\n", cli_tone_on(stdout, good ? CLI_GOOD : CLI_BAD), f.kind->kind, f.name,
	       good ? "succeeded" : "failed", cli_tone_off(stdout));
	return good ? CLI_OK : CLI_FAILED;
}

static int apply_all(const struct cli_command *self, const struct cli_common *o, const struct sw_yaml *y,
		     json_t *applied)
{
	struct cli_client c;
	struct sw_err e = cli_client_open(o->kubeconfig, o->ns, &c);
	for (size_t i = 0; !sw_failed(e) && i < sw_yaml_docs(y); i++) {
		json_t *object;
		e = cli_apply(&c, sw_yaml_doc(y, i), false, &object);
		if (sw_failed(e))
			break;
		printf("%s/%s submitted\n", sw_json_str(object, "kind"), sw_json_str(object, "metadata.name"));
		json_object_array_add(applied, object);
	}
	fflush(stdout);
	cli_client_close(&c);
	return sw_failed(e) ? cli_fail(self, "%s", e.text) : CLI_OK;
}

/* Every job is followed to its end; one that fails makes the whole fail. */
static int follow_all(const struct cli_command *self, const struct cli_common *o, json_t *applied)
{
	int rc = CLI_OK;
	for (size_t i = 0; i < sw_json_len(applied); i++) {
		struct cli_client c;
		json_t *object = sw_json_idx(applied, i);
		struct sw_err e = cli_client_open(o->kubeconfig, sw_json_str(object, "metadata.namespace"), &c);
		int one = sw_failed(e) ? cli_fail(self, "%s", e.text) : follow_job(self, &c, object);
		rc = one != CLI_OK ? one : rc;
		cli_client_close(&c);
	}
	return rc;
}

static int submit(const struct cli_command *self, const struct cli_common *o, const struct sw_yaml *y, bool follow)
{
	json_t *applied = json_object_new_array();
	int rc = apply_all(self, o, y, applied);
	if (rc == CLI_OK && follow)
		rc = follow_all(self, o, applied);
	json_object_put(applied);
	return rc;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
	struct cli_common o = {0};
	const char *file = NULL;
	bool no_follow = false;
	int words;
	struct sw_yaml *y;
	const struct cli_option options[] = {
		{"filename", 'f', "FILE", "manifest to submit; - reads standard input", &file, NULL},
		{"no-follow", 0, NULL, "return as soon as the gateway has it", NULL, &no_follow},
		{"namespace", 'n', "NAMESPACE", "namespace for objects that name none (default: the kubeconfig's)",
		 &o.ns, NULL},
		CLI_KUBECONFIG_OPTION(&o),
		CLI_OPTION_END,
	};
	if (!cli_parse(self, options, argc, argv, &words))
		return CLI_USAGE;
	if (words || !file)
		return cli_misuse(self, "expected -f FILE");
	struct sw_err e = cli_manifest(file, &y);
	if (sw_failed(e))
		return cli_fail(self, "%s", e.text);
	int rc = submit(self, &o, y, !no_follow);
	sw_yaml_free(y);
	return rc;
}

const struct cli_command cli_submit = {
	.name = "submit",
	.usage = "-f FILE [--no-follow]",
	.summary = "Submit a job to the queue and follow it to its end",
	.details = "The exit code is 0 if the job succeeded. `kubectl apply -f FILE` submits as well.",
	.examples = "  spillway submit -f config/samples/01-pi.yaml\n  spillway submit -f train.yaml --no-follow\n",
	.run = run,
};
