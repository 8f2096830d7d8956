# SPDX-License-Identifier: Apache-2.0
"""The proxy breaks what it says it breaks, and nothing else: a fault test with a kind proxy proves nothing."""
import http.client
import http.server
import json
import socket
import ssl
import subprocess
import threading

import pytest

from proxy import Proxy


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    d = tmp_path_factory.mktemp("pki")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", d / "key", "-out", d / "crt", "-subj", "/CN=127.0.0.1", "-days", "2",
         "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)  # fmt: skip
    return d


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if "watch=" in self.path:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in self.server.lines:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            self.server.hold.wait(30)
            self.wfile.write(b"0\r\n\r\n")
            return
        self.reply(b"x" * 1000)

    def do_POST(self):
        self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.reply(b"{}")

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(pki):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(pki / "crt", pki / "key")
    server.socket = ctx.wrap_socket(server.socket, server_side=True)
    server.daemon_threads, server.posts, server.lines, server.hold = True, [], [], threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    proxy = Proxy(f"https://127.0.0.1:{server.server_port}", ca=pki / "crt", cert=pki / "crt", key=pki / "key")
    yield server, proxy
    server.hold.set()
    proxy.close()
    server.shutdown()
    server.server_close()


def ask(pki, proxy, method="GET", path="/api", body=None, timeout=10.0, connection=None):
    c = connection or http.client.HTTPSConnection("127.0.0.1", proxy.port, context=ssl.create_default_context(cafile=pki / "crt"), timeout=timeout)
    c.request(method, path, body)
    r = c.getresponse()
    return r.status, r.headers, r.read()


GONE = (http.client.RemoteDisconnected, ConnectionError, http.client.IncompleteRead, ssl.SSLError)


def test_what_is_not_named_passes_unharmed_and_connections_are_kept(pki, site):
    server, proxy = site
    c = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=ssl.create_default_context(cafile=pki / "crt"), timeout=10)
    for i in range(3):
        assert ask(pki, proxy, connection=c)[2] == b"x" * 1000
    assert ask(pki, proxy, "POST", "/api", json.dumps({"metadata": {"name": "a"}}), connection=c)[0] == 200
    assert [r.verb for r in proxy.log] == ["GET"] * 3 + ["POST"] and proxy.log[-1].name() == "a"
    assert server.posts == [{"metadata": {"name": "a"}}]


@pytest.mark.parametrize("fault,arrived", [("drop", 0), ("reply-lost", 1), ("truncate", 1)])
def test_a_connection_that_ends(pki, site, fault, arrived):
    server, proxy = site
    proxy.decide = lambda request: fault
    with pytest.raises(GONE):
        ask(pki, proxy, "POST", "/api", json.dumps({"metadata": {}}))
    assert len(server.posts) == arrived and proxy.log[0].fault == fault


def test_half_of_a_body(pki, site):
    _, proxy = site
    proxy.decide = lambda request: "truncate"
    with pytest.raises(http.client.IncompleteRead) as e:
        ask(pki, proxy)
    assert e.value.partial == b"x" * 500


@pytest.mark.parametrize("fault", ["429", "500", "503", "410"])
def test_answers_of_its_own_never_reach_the_server(pki, site, fault):
    server, proxy = site
    proxy.decide = lambda request: fault
    status, headers, body = ask(pki, proxy, "POST", "/api", json.dumps({"metadata": {}}))
    assert status == int(fault) and json.loads(body)["code"] == status and not server.posts
    assert headers.get("Retry-After") == ("1" if fault == "429" else None)


def test_half_open_lasts_until_the_client_gives_up(pki, site):
    server, proxy = site
    proxy.decide = lambda request: "half-open"
    with pytest.raises(TimeoutError):
        ask(pki, proxy, "POST", "/api", json.dumps({"metadata": {}}), timeout=0.3)
    assert not server.posts


def test_events_of_a_watch_pass_one_by_one(pki, site):
    server, proxy = site
    server.lines = [b'{"a":1}\n', b'{"a":2}\n']
    c = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=ssl.create_default_context(cafile=pki / "crt"), timeout=10)
    c.request("GET", "/api?watch=1")
    r = c.getresponse()
    assert r.readline() == server.lines[0] and r.readline() == server.lines[1]


@pytest.mark.parametrize("mode,arrived", [("refuse", 0), ("silent", 0), ("one-way", 1)])
def test_a_line_that_is_cut_and_mended(pki, site, mode, arrived):
    server, proxy = site
    c = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=ssl.create_default_context(cafile=pki / "crt"), timeout=0.5)
    ask(pki, proxy, connection=c)
    proxy.cut(mode)
    with pytest.raises((TimeoutError, *GONE)):
        ask(pki, proxy, "POST", "/api", json.dumps({"metadata": {}}), connection=c)
    assert len(server.posts) == arrived
    proxy.mend()
    assert ask(pki, proxy)[0] == 200
    assert len(server.posts) == arrived  # what went into the void stays there


def test_a_port_that_nobody_serves_ends_the_connection(pki):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        proxy = Proxy(f"https://127.0.0.1:{s.getsockname()[1]}", ca=pki / "crt", cert=pki / "crt", key=pki / "key")
        with pytest.raises(GONE):
            ask(pki, proxy)
        proxy.close()
