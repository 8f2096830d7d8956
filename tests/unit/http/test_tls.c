/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - whom the HTTP client trusts, and what it says when it does not (setup.c, explain.c) */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>
#include "../../support/fakeca.h"
#include "../../support/fakehttp.h"
#include "spillway/http.h"
#include "spillway/text.h"

struct outcome {
	bool done;
	struct sw_err err;
	long status;
};

static void on_done(void *owner, struct sw_err e, const struct sw_reply *reply)
{
	struct outcome *o = owner;

	*o = (struct outcome){.done = true, .err = e, .status = reply->status};
}

static struct outcome ask(struct sw_loop *loop, struct sw_http *http, struct fake_http *f, const struct sw_tls *tls)
{
	struct outcome o = {.done = false};
	struct sw_call *call;
	struct sw_request q = {.method = "GET", .url = fake_url(f), .tls = tls, .timeout_ms = 8000};
	struct sw_err e = sw_http_start(http, &q, on_done, &o, &call);

	if (sw_failed(e))
		return (struct outcome){.done = true, .err = e};
	cr_assert(sw_loop_until(loop, &o.done, 9000));
	return o;
}

enum trust { TRUST_RIGHT, TRUST_OTHER, TRUST_SYSTEM, TRUST_NONSENSE };

struct row {
	const char *name;
	const char *san;
	long from_s, to_s;
	enum trust trust;
	const char *server_name;
	bool insecure, ok;
	const char *says;
};

static const struct row rows[] = {
	{"right CA and address", "IP:127.0.0.1", -60, 3600, TRUST_RIGHT, NULL, false, true, ""},
	{"another CA", "IP:127.0.0.1", -60, 3600, TRUST_OTHER, NULL, false, false,
	 "not signed by the CA that was given"},
	{"the system's CAs", "IP:127.0.0.1", -60, 3600, TRUST_SYSTEM, NULL, false, false,
	 "not signed by the CA that was given"},
	{"a CA that is no certificate", "IP:127.0.0.1", -60, 3600, TRUST_NONSENSE, NULL, false, false,
	 "no usable PEM certificate"},
	{"expired", "IP:127.0.0.1", -7200, -3600, TRUST_RIGHT, NULL, false, false, "has expired"},
	{"not yet valid", "IP:127.0.0.1", 3600, 7200, TRUST_RIGHT, NULL, false, false, "not valid yet"},
	{"another name", "DNS:kube.example.org", -60, 3600, TRUST_RIGHT, NULL, false, false, "is for another name"},
	{"tls-server-name fits", "DNS:kube.example.org", -60, 3600, TRUST_RIGHT, "kube.example.org", false, true, ""},
	{"tls-server-name does not fit", "DNS:kube.example.org", -60, 3600, TRUST_RIGHT, "other.example.org", false,
	 false, "is for another name"},
	{"tls-server-name replaces the address", "IP:127.0.0.1", -60, 3600, TRUST_RIGHT, "kube.example.org", false,
	 false, "is for another name"},
	{"tls-server-name with another CA", "DNS:kube.example.org", -60, 3600, TRUST_OTHER, "kube.example.org", false,
	 false, "not signed by the CA"},
	{"insecure takes anything", "DNS:other", -7200, -3600, TRUST_OTHER, NULL, true, true, ""},
};

ParameterizedTestParameters(tls, servers_are_verified)
{
	static int index[sizeof rows / sizeof *rows];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		index[i] = (int)i;
	return cr_make_param_array(int, index, sizeof rows / sizeof *rows);
}

ParameterizedTest(int *index, tls, servers_are_verified)
{
	const struct row *t = &rows[*index];
	struct fake_ca *ca = fake_ca_new("right"), *other = fake_ca_new("other");
	struct fake_cert cert = fake_ca_issue(ca, "server", t->san, t->from_s, t->to_s);
	const struct fake_tls server = {.cert = cert.cert, .key = cert.key};
	struct sw_tls tls = {.server_name = t->server_name, .insecure = t->insecure};
	struct sw_loop *loop;
	struct sw_http *http;
	char host[256], expect[64];

	cr_assert_not(sw_failed(sw_loop_new(&loop)));
	cr_assert_not(sw_failed(sw_http_new(loop, &http)));
	struct fake_http *f = fake_http_new(loop, &server);
	fake_reply(f, "GET /", 200, "", "ok");
	tls.ca_pem = t->trust == TRUST_RIGHT      ? fake_ca_pem(ca)
		     : t->trust == TRUST_OTHER    ? fake_ca_pem(other)
		     : t->trust == TRUST_NONSENSE ? "nonsense"
						  : NULL;
	struct outcome o = ask(loop, http, f, &tls);
	cr_assert_eq(!sw_failed(o.err), t->ok, "%s: %s", t->name, o.err.text);
	cr_assert(strstr(o.err.text, t->says), "%s: %s", t->name, o.err.text);
	cr_assert_eq(fake_count(f), t->ok ? 1 : 0, "%s: nothing is sent to a stranger", t->name);
	if (t->ok) {
		snprintf(expect, sizeof expect, "127.0.0.1:%d", fake_port(f));
		cr_assert_str_eq(fake_header(f, 0, "Host", host), expect, "the Host header names the server's address");
	}
	sw_http_free(http);
	fake_http_free(f);
	sw_loop_free(loop);
	fake_cert_fini(&cert);
	fake_ca_free(ca);
	fake_ca_free(other);
}

/* A server that wants client certificates of `ca`. */
struct mutual {
	struct fake_ca *ca;
	struct fake_cert server;
	struct sw_loop *loop;
	struct sw_http *http;
	struct fake_http *f;
};

static void mutual_begin(struct mutual *m)
{
	m->ca = fake_ca_new("ca");
	m->server = fake_ca_issue(m->ca, "server", "IP:127.0.0.1", -60, 3600);
	cr_assert_not(sw_failed(sw_loop_new(&m->loop)));
	cr_assert_not(sw_failed(sw_http_new(m->loop, &m->http)));
	m->f = fake_http_new(
		m->loop,
		&(struct fake_tls){.cert = m->server.cert, .key = m->server.key, .client_ca = fake_ca_pem(m->ca)});
	fake_reply(m->f, "GET /", 200, "", "ok")->repeat = true;
}

static void mutual_end(struct mutual *m)
{
	sw_http_free(m->http);
	fake_http_free(m->f);
	sw_loop_free(m->loop);
	fake_cert_fini(&m->server);
	fake_ca_free(m->ca);
}

TestSuite(tls, .timeout = 30);

Test(tls, a_client_certificate_is_shown)
{
	struct mutual m;
	mutual_begin(&m);
	struct fake_cert client = fake_ca_issue(m.ca, "me", NULL, -60, 3600);
	struct outcome o =
		ask(m.loop, m.http, m.f,
		    &(struct sw_tls){.ca_pem = fake_ca_pem(m.ca), .cert_pem = client.cert, .key_pem = client.key});

	cr_assert_eq(o.status, 200, "%s", o.err.text);
	fake_cert_fini(&client);
	mutual_end(&m);
}

Test(tls, a_missing_or_expired_client_certificate_is_named)
{
	struct mutual m;
	mutual_begin(&m);
	struct fake_cert old = fake_ca_issue(m.ca, "me", NULL, -7200, -3600);
	struct outcome o = ask(m.loop, m.http, m.f, &(struct sw_tls){.ca_pem = fake_ca_pem(m.ca)});

	cr_assert_eq(o.err.code, SW_E_NET);
	cr_assert(strstr(o.err.text, "refused our client certificate, or wants one"), "%s", o.err.text);
	o = ask(m.loop, m.http, m.f,
		&(struct sw_tls){.ca_pem = fake_ca_pem(m.ca), .cert_pem = old.cert, .key_pem = old.key});
	cr_assert_eq(o.err.code, SW_E_NET);
	cr_assert(strstr(o.err.text, "client certificate"), "%s", o.err.text);
	cr_assert(strstr(o.err.text, "expired"), "%s", o.err.text);
	fake_cert_fini(&old);
	mutual_end(&m);
}

Test(tls, one_handshake_serves_many_calls_but_never_another_identity)
{
	struct mutual m;
	mutual_begin(&m);
	struct fake_cert one = fake_ca_issue(m.ca, "one", NULL, -60, 3600),
			 two = fake_ca_issue(m.ca, "two", NULL, -60, 3600);
	const struct sw_tls as_one = {.ca_pem = fake_ca_pem(m.ca), .cert_pem = one.cert, .key_pem = one.key};
	const struct sw_tls as_two = {.ca_pem = fake_ca_pem(m.ca), .cert_pem = two.cert, .key_pem = two.key};

	for (int i = 0; i < 10; i++)
		cr_assert_eq(ask(m.loop, m.http, m.f, &as_one).status, 200);
	cr_assert_eq(fake_accepted(m.f), 1, "ten calls, one connection");
	cr_assert_eq(ask(m.loop, m.http, m.f, &as_two).status, 200);
	cr_assert_eq(fake_accepted(m.f), 2, "another certificate, another connection");
	fake_cert_fini(&one);
	fake_cert_fini(&two);
	mutual_end(&m);
}
