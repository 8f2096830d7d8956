# SPDX-License-Identifier: Apache-2.0
"""A TLS proxy that stands between a gateway and an API server and breaks things on purpose.

Every request that passes is shown to `decide`, which may name a fault for it; and the whole line can be cut. HTTP/1.1 only
(the proxy does not offer h2), framing by h11. It runs in a thread of its own, so a test drives it with plain calls.

    proxy = Proxy(server="https://127.0.0.1:6443", ca=..., cert=..., key=...)
    proxy.decide = lambda request: "reply-lost" if request.method == "POST" else None
    proxy.cut("silent"); ...; proxy.mend()

Faults of one request, as `decide` names them:
    drop           the connection ends before the server has seen the request
    reply-lost     the server does it, the connection ends before a byte of the reply
    truncate       half of the reply's body, then the connection ends
    delay          the request waits DELAY_S, then goes on
    429, 500, 503  answered by the proxy, not seen by the server; 429 says Retry-After: 1
    410            a Status with reason Expired (what a watch or a list's continue token gets)
    half-open      nothing is answered and nothing is closed, until the client gives up
Ways to cut the line: "refuse" (connections are closed at once), "silent" (packets vanish), "one-way" (requests arrive, replies
vanish).
"""
import asyncio
import json
import ssl
import threading
import urllib.parse
from dataclasses import dataclass, field

import h11

DELAY_S = 2.0
FAULTS = ("drop", "reply-lost", "truncate", "delay", "429", "500", "503", "410", "half-open")
CHUNK = 65536


@dataclass
class Request:
    method: str
    path: str
    query: str
    agent: str
    body: bytes = b""
    fault: str | None = None
    status: int = 0

    @property
    def verb(self):
        if self.method == "GET" and "watch=" in self.query:
            return "WATCH"
        return self.method

    def name(self):
        """Of the object: from the path, or from the body of a POST."""
        if self.method == "POST" and self.body:
            try:
                return json.loads(self.body)["metadata"].get("name", "")
            except (ValueError, KeyError, TypeError):
                return ""
        parts = [p for p in self.path.split("/") if p]
        if parts and parts[-1] == "status":
            parts.pop()
        return parts[-1] if parts else ""

    def __str__(self):
        return f"{self.verb} {self.path}{' <' + self.fault + '>' if self.fault else ''} {self.status or ''}".rstrip()


class Cut(Exception):
    """The connection ends here."""


def answer(status, reason, message):
    body = json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "message": message, "code": status}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if status == 429:
        headers.append(("Retry-After", "1"))
    return headers, body


REASONS = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 410: "Expired"}


@dataclass
class Proxy:
    server: str
    ca: str
    cert: str
    key: str
    decide: object = None  # Request -> fault or None; called in the proxy's thread
    log: list = field(default_factory=list)

    def __post_init__(self):
        at = urllib.parse.urlsplit(self.server)
        self.upstream = (at.hostname, at.port)
        self.mode = None
        self.open = set()  # writers of both ends, to be ended by cut("refuse") and close()
        self.loop = asyncio.new_event_loop()
        self.mended = asyncio.Event()
        self.mended.set()
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def cut(self, mode="refuse"):
        """Cuts the line for what is connected and for what will connect."""
        assert mode in ("refuse", "silent", "one-way")
        self._call(self._cut, mode)

    def mend(self):
        self._call(self._cut, None)

    def close(self):
        self._call(self._end_all)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def _call(self, fn, *args):
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (fn(*args), done.set()))
        done.wait()

    def _cut(self, mode):
        self.mode = mode
        if mode is None:
            # What was sent into the void stays lost: connections of that time are dead.
            self.mended.set()
            self._end_all()
            return
        self.mended.clear()
        if mode == "refuse":
            self._end_all()

    def _end_all(self):
        for writer in list(self.open):
            writer.transport.abort()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        down = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        down.load_cert_chain(self.cert, self.key)
        down.set_alpn_protocols(["http/1.1"])
        self.up = ssl.create_default_context(cafile=self.ca)
        listener = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=down))
        self.port = listener.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()
        listener.close()
        pending = asyncio.all_tasks(self.loop)
        for task in pending:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self.loop.close()

    async def _serve(self, reader, writer):
        self.open.add(writer)
        up_writer = None
        try:
            await self._gate("request")
            up_reader, up_writer = await asyncio.open_connection(*self.upstream, ssl=self.up)
            self.open.add(up_writer)
            down, up = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
            while await self._exchange(End(reader, writer, down), End(up_reader, up_writer, up)):
                down.start_next_cycle()
                up.start_next_cycle()
        except (Cut, OSError, h11.ProtocolError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # cancelled: the proxy is closed
        finally:
            for w in (writer, up_writer):
                if w is not None:
                    self.open.discard(w)
                    w.transport.abort()

    async def _gate(self, direction):
        """Holds or ends what passes while the line is cut."""
        while self.mode:
            if self.mode == "refuse":
                raise Cut
            if self.mode == "one-way" and direction == "request":
                return
            await self.mended.wait()
            raise Cut

    async def _exchange(self, client, server):
        head, body = await client.message()
        if head is None:
            return False
        await self._gate("request")
        request = describe(head, body)
        request.fault = self.decide(request) if self.decide else None
        self.log.append(request)
        if request.fault in ("drop", "half-open"):
            if request.fault == "half-open":
                await client.reader.read()  # until the client gives up
            raise Cut
        if request.fault == "delay":
            await asyncio.sleep(DELAY_S)
        if request.fault in ("429", "500", "503", "410"):
            request.status = int(request.fault)
            headers, text = answer(request.status, REASONS[request.status], "made by the test's proxy")
            await client.send(h11.Response(status_code=request.status, headers=headers))
            await client.send(h11.Data(data=text))
            await client.send(h11.EndOfMessage())
            return client.h.our_state is h11.DONE and client.h.their_state is h11.DONE
        await server.send(head)
        if body:
            await server.send(h11.Data(data=body))
        await server.send(h11.EndOfMessage())
        return await self._reply(client, server, request)

    async def _reply(self, client, server, request):
        if request.fault in ("reply-lost", "truncate"):
            head, body = await server.message()
            request.status = head.status_code if head else 0
            if request.fault == "truncate" and head:
                await client.send(h11.Response(status_code=head.status_code, headers=head.headers))
                await client.send(h11.Data(data=body[: len(body) // 2]))
            raise Cut
        while True:
            event = await server.next()
            await self._gate("reply")
            if isinstance(event, h11.InformationalResponse):
                continue
            if isinstance(event, h11.ConnectionClosed):
                raise Cut
            if isinstance(event, h11.Response):
                request.status = event.status_code
            await client.send(event)
            if isinstance(event, h11.EndOfMessage):
                return all(e.h.our_state is h11.DONE and e.h.their_state is h11.DONE for e in (client, server))


@dataclass
class End:
    """One end of the line: a stream and its framing."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    h: h11.Connection

    async def next(self):
        while True:
            event = self.h.next_event()
            if event is not h11.NEED_DATA:
                return event
            self.h.receive_data(await self.reader.read(CHUNK))

    async def message(self):
        """A whole request or reply: (head, body); (None, b"") when the peer is gone."""
        head, body = None, bytearray()
        while True:
            event = await self.next()
            if isinstance(event, (h11.Request, h11.Response)):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return head, bytes(body)
            elif isinstance(event, h11.ConnectionClosed):
                return None, b""

    async def send(self, event):
        data = self.h.send(event)
        if data:
            self.writer.write(data)
            await self.writer.drain()


def describe(head, body):
    target = urllib.parse.urlsplit(head.target.decode())
    agent = next((v.decode() for k, v in head.headers if k == b"user-agent"), "")
    return Request(head.method.decode(), target.path, target.query, agent, body)
