/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.c - turns a struct sw_request into a configured curl easy handle
 *
 * Nothing is left to curl's defaults that reads the environment or the system: proxies, CA paths,
 * .netrc, redirects and protocols are all set here.
 */
#include "http_priv.h"
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "spillway/text.h"

/* ---- callbacks on curl's stack: they note, http_drain() tells ------------------ */

static size_t stream_write(struct sw_call *c, const char *data, size_t n)
{
	if (c->paused || c->pending.len + n > HTTP_PENDING_MAX) {
		c->held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	sw_buf_put(&c->pending, data, n);
	http_call_news(c);
	return sw_buf_ok(&c->pending) ? n : 0;
}

static size_t cb_write(char *data, size_t one, size_t n, void *arg)
{
	struct sw_call *c = arg;
	long status = 0;

	(void)one;
	if (c->on_chunk) {
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status >= 200 && status < 300)
			return stream_write(c, data, n);
	}
	if (n > c->body.max - c->body.len) {
		c->too_big = true;
		return 0;
	}
	sw_buf_put(&c->body, data, n);
	return sw_buf_ok(&c->body) ? n : 0;
}

/* An empty line ends the headers; curl has set the status by then. 1xx answers are not final. */
static size_t cb_header(char *data, size_t one, size_t n, void *arg)
{
	struct sw_call *c = arg;
	long status = 0;

	(void)one;
	if (c->headers_in || n > 2 || (data[0] != '\r' && data[0] != '\n'))
		return n;
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200) {
		c->headers_in = true;
		if (c->on_chunk)
			http_call_news(c);
	}
	return n;
}

/* A multiplexed connection to a peer that vanished would collect calls until each times out. */
static int cb_sockopt(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned ms = HTTP_UNACKED_MS;

	(void)arg;
	if (purpose == CURLSOCKTYPE_IPCXN)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms); /* only TCP has it */
	return CURL_SOCKOPT_OK;
}

/* ---- what is asked -------------------------------------------------------------- */

static void setup_body(CURL *h, const struct sw_request *req)
{
	bool get = strcmp(req->method, "GET") == 0, head = strcmp(req->method, "HEAD") == 0;

	if (req->body) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
		curl_easy_setopt(h, CURLOPT_COPYPOSTFIELDS, req->body);
	} else if (strcmp(req->method, "POST") == 0 || strcmp(req->method, "PUT") == 0 ||
		   strcmp(req->method, "PATCH") == 0) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, 0L);
		curl_easy_setopt(h, CURLOPT_COPYPOSTFIELDS, "");
	}
	if (head)
		curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
	else if (!get || req->body)
		curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, req->method);
}

static struct sw_err add_header(struct sw_call *c, const char *line)
{
	struct curl_slist *more;

	if (strpbrk(line, "\r\n"))
		return sw_err(SW_E_INVALID, "%s: a request header holds a line break: it was not sent", c->what);
	more = curl_slist_append(c->headers, line);
	if (!more)
		return sw_err(SW_E_NOMEM, "%s: out of memory", c->what);
	c->headers = more;
	return SW_OK;
}

static struct sw_err setup_headers(struct sw_call *c, const struct sw_request *req)
{
	struct sw_err e = add_header(c, "Expect:"); /* curl would wait for 100-continue before large bodies */

	for (const char *const *h = req->headers; h && *h && !sw_failed(e); h++)
		e = add_header(c, *h);
	return e;
}

static void setup_limits(struct sw_call *c, const struct sw_request *req)
{
	CURL *h = c->easy;

	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS,
			 req->connect_timeout_ms ? req->connect_timeout_ms : HTTP_CONNECT_MS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, req->timeout_ms);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 8L * 1024);         /* curl reads up to 100 of them in one go */
	curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, 16L * 1024); /* 64 KiB for each body under way otherwise */
	if (!req->on_chunk)
		curl_easy_setopt(h, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->body.max);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPIDLE, (long)HTTP_KEEPALIVE_S);
	curl_easy_setopt(h, CURLOPT_TCP_KEEPINTVL, (long)HTTP_KEEPALIVE_S);
	curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, cb_sockopt);
}

static void setup_connection(struct sw_call *c, const struct sw_request *req)
{
	CURL *h = c->easy;

	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(h, CURLOPT_PROXY, req->proxy_url ? req->proxy_url : ""); /* "": not even the environment's */
	curl_easy_setopt(h, CURLOPT_NOPROXY, "");
	curl_easy_setopt(h, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (req->own_connection) {
		/* HTTP/1.1, since curl may multiplex others onto an HTTP/2 connection even if it is not to be reused */
		curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L);
		curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
	} else {
		curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
		/* wait for a handshake under way, which tells whether the connection can be shared; without TLS only
		 * the first whole answer would tell */
		curl_easy_setopt(h, CURLOPT_PIPEWAIT, strncmp(req->url, "https", 5) == 0 ? 1L : 0L);
	}
}

/* ---- whom to trust -------------------------------------------------------------- */

static void set_blob(CURL *h, CURLoption option, const char *pem)
{
	struct curl_blob blob = {.data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY};

	curl_easy_setopt(h, option, &blob);
}

static CURLUcode url_with_host(CURLU *u, const char *host, char **out)
{
	CURLUcode rc = curl_url_set(u, CURLUPART_HOST, host, 0);

	return rc ? rc : curl_url_get(u, CURLUPART_URL, out, 0);
}

/*
 * curl verifies the name in the URL. To verify another one, the URL is given that name, the connection is
 * sent to the real host, and the Host header keeps naming the real host.
 */
static struct sw_err setup_server_name(struct sw_call *c, const struct sw_request *req, const char *name)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *url = NULL, *to = NULL, *header = NULL;
	struct sw_err e;

	if (!u || curl_url_set(u, CURLUPART_URL, req->url, 0) || curl_url_get(u, CURLUPART_HOST, &host, 0) ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) || url_with_host(u, name, &url)) {
		e = sw_err(SW_E_INVALID,
			   "%s: cannot be combined with tls-server-name \"%.100s\": expected a URL and a host name",
			   c->what, name);
	} else {
		to = sw_asprintf("%s:%s:%s:%s", name, port, host, port);
		header = sw_asprintf("Host: %s:%s", host, port);
		c->connect_to = curl_slist_append(NULL, to);
		e = add_header(c, header);
		curl_easy_setopt(c->easy, CURLOPT_URL, url);
		curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
	}
	curl_free(host);
	curl_free(port);
	curl_free(url);
	free(to);
	free(header);
	curl_url_cleanup(u);
	return e;
}

/* A watch is idle for most of its life: then its connection keeps no buffers. */
static CURLcode cb_tls(CURL *h, void *ctx, void *arg)
{
	(void)h, (void)arg;
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return CURLE_OK;
}

static struct sw_err setup_tls(struct sw_call *c, const struct sw_request *req)
{
	const struct sw_tls none = {.ca_pem = NULL}, *tls = req->tls ? req->tls : &none;
	CURL *h = c->easy;

	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(h, CURLOPT_SSL_CTX_FUNCTION, cb_tls);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	if (tls->ca_pem) {
		/* Debian's curl has a default CApath, which would be trusted beside the CA given */
		curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(h, CURLOPT_CAINFO, NULL);
		set_blob(h, CURLOPT_CAINFO_BLOB, tls->ca_pem);
	}
	if (tls->cert_pem && tls->key_pem) {
		set_blob(h, CURLOPT_SSLCERT_BLOB, tls->cert_pem);
		set_blob(h, CURLOPT_SSLKEY_BLOB, tls->key_pem);
	}
	if (tls->server_name && *tls->server_name)
		return setup_server_name(c, req, tls->server_name);
	return SW_OK;
}

struct sw_err http_setup(struct sw_call *c, const struct sw_request *req)
{
	struct sw_err e;

	if (strncmp(req->url, "http://", 7) != 0 && strncmp(req->url, "https://", 8) != 0)
		return sw_err(SW_E_INVALID, "%s: expected a URL that starts with https:// or http://", c->what);
	c->easy = curl_easy_init();
	if (!c->easy)
		return sw_err(SW_E_NOMEM, "%s: out of memory", c->what);
	curl_easy_setopt(c->easy, CURLOPT_URL, req->url);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->errbuf);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, cb_write);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, cb_header);
	curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	setup_body(c->easy, req);
	setup_limits(c, req);
	setup_connection(c, req);
	e = setup_headers(c, req);
	if (!sw_failed(e))
		e = setup_tls(c, req);
	if (!sw_failed(e))
		curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	return e;
}
