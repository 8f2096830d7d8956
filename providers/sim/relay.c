/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay.c - a TCP relay in front of a simulated API server, so that tests can make the network fail
 *
 *   client <--> relay <--> API server        HANG: nothing is read on either side; CUT: connections are reset
 *
 * A pair reads from one side only while the last write to the other has ended: at most one buffer is held per
 * direction.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "sim_priv.h"
#include "spillway/text.h"

enum { BUFFER = 64 << 10 };

struct side {
	uv_tcp_t tcp;
	struct pair *pair;
	struct side *other;
	uv_write_t write;
	char buf[BUFFER];
	bool writing, ended;
};
struct pair {
	struct pair *next, *prev;
	struct sim_relay *relay;
	struct side side[2];
	uv_connect_t connect;
	int open;
	bool connected;
};
struct sim_relay {
	struct sw_loop *loop;
	uv_tcp_t listener;
	struct sockaddr_in to;
	int port;
	enum sw_sim_fault fault;
	struct pair *pairs;
	unsigned handles;
	bool closing;
};

static void relay_release(struct sim_relay *r)
{
	if (r->closing && r->handles == 0)
		free(r);
}

static void on_side_closed(uv_handle_t *h)
{
	struct side *side = h->data;
	struct pair *p = side->pair;
	struct sim_relay *r = p->relay;

	r->handles--;
	if (--p->open > 0)
		return;
	DL_DELETE(r->pairs, p);
	free(p);
	relay_release(r);
}

static void pair_close(struct pair *p)
{
	for (int i = 0; i < 2; i++)
		if (!uv_is_closing((uv_handle_t *)&p->side[i].tcp))
			uv_close((uv_handle_t *)&p->side[i].tcp, on_side_closed);
}

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *out)
{
	struct side *s = h->data;

	(void)size;
	*out = uv_buf_init(s->buf, BUFFER);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void side_read(struct side *s)
{
	if (s->pair->relay->fault == SW_SIM_OK && s->pair->connected && !s->other->writing && !s->ended)
		uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
}

static void on_write(uv_write_t *w, int status)
{
	struct side *to = w->data;

	to->writing = false;
	if (status < 0)
		pair_close(to->pair);
	else
		side_read(to->other);
}

/* The end of one direction ends the pair: HTTP clients and servers do not half-close. */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct side *from = stream->data, *to = from->other;
	uv_buf_t out = uv_buf_init(buf->base, n > 0 ? (unsigned)n : 0);

	if (n == 0)
		return;
	uv_read_stop(stream);
	if (n < 0) {
		from->ended = true;
		pair_close(from->pair);
		return;
	}
	to->writing = true;
	to->write.data = to;
	if (uv_write(&to->write, (uv_stream_t *)&to->tcp, &out, 1, on_write) < 0)
		pair_close(from->pair);
}

static void on_connect(uv_connect_t *c, int status)
{
	struct pair *p = c->data;

	if (status < 0) {
		pair_close(p);
		return;
	}
	p->connected = true;
	side_read(&p->side[0]);
	side_read(&p->side[1]);
}

static struct pair *pair_new(struct sim_relay *r)
{
	struct pair *p = sw_calloc(1, sizeof(*p));

	p->relay = r;
	for (int i = 0; i < 2; i++) {
		p->side[i].pair = p;
		p->side[i].other = &p->side[1 - i];
		SW_REQUIRE(uv_tcp_init(sw_loop_uv(r->loop), &p->side[i].tcp) == 0);
		p->side[i].tcp.data = &p->side[i];
	}
	p->open = 2;
	r->handles += 2;
	DL_APPEND(r->pairs, p);
	return p;
}

static void on_client(uv_stream_t *listener, int status)
{
	struct sim_relay *r = listener->data;
	struct pair *p;

	if (status < 0 || r->closing)
		return;
	p = pair_new(r);
	if (uv_accept(listener, (uv_stream_t *)&p->side[0].tcp) < 0 || r->fault == SW_SIM_CUT) {
		pair_close(p);
		return;
	}
	uv_tcp_nodelay(&p->side[0].tcp, 1);
	uv_tcp_nodelay(&p->side[1].tcp, 1);
	p->connect.data = p;
	if (uv_tcp_connect(&p->connect, &p->side[1].tcp, (const struct sockaddr *)&r->to, on_connect) < 0)
		pair_close(p);
}

static void on_listener_closed(uv_handle_t *h)
{
	struct sim_relay *r = h->data;

	r->handles--;
	relay_release(r);
}

struct sw_err sim_relay_new(struct sw_loop *loop, int to_port, struct sim_relay **out)
{
	struct sim_relay *r = sw_calloc(1, sizeof(*r));
	struct sockaddr_in at;
	int len = sizeof(at), rc;

	*out = NULL;
	r->loop = loop;
	uv_ip4_addr("127.0.0.1", to_port, &r->to);
	uv_ip4_addr("127.0.0.1", 0, &at);
	SW_REQUIRE(uv_tcp_init(sw_loop_uv(loop), &r->listener) == 0);
	r->listener.data = r;
	r->handles = 1;
	rc = uv_tcp_bind(&r->listener, (const struct sockaddr *)&at, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&r->listener, 128, on_client);
	if (rc == 0)
		rc = uv_tcp_getsockname(&r->listener, (struct sockaddr *)&at, &len);
	if (rc < 0) {
		sim_relay_free(r);
		return sw_err(SW_E_IO, "relay: cannot listen on 127.0.0.1: %s", uv_strerror(rc));
	}
	r->port = ntohs(at.sin_port);
	*out = r;
	return SW_OK;
}

void sim_relay_free(struct sim_relay *r)
{
	struct pair *p, *tmp;

	if (!r)
		return;
	r->closing = true;
	DL_FOREACH_SAFE(r->pairs, p, tmp)
	pair_close(p);
	uv_close((uv_handle_t *)&r->listener, on_listener_closed);
}

int sim_relay_port(const struct sim_relay *r)
{
	return r->port;
}

void sim_relay_fault(struct sim_relay *r, enum sw_sim_fault f)
{
	struct pair *p, *tmp;

	r->fault = f;
	DL_FOREACH_SAFE(r->pairs, p, tmp)
	for (int i = 0; i < 2; i++) {
		if (f == SW_SIM_OK && !uv_is_closing((uv_handle_t *)&p->side[i].tcp))
			side_read(&p->side[i]);
		else if (f == SW_SIM_HANG)
			uv_read_stop((uv_stream_t *)&p->side[i].tcp);
	}
	if (f != SW_SIM_CUT)
		return;
	DL_FOREACH_SAFE(r->pairs, p, tmp)
	pair_close(p);
}
