"""A real uvicorn on a free loopback port, in a thread, with an app for tests, and ways to misuse it."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from lookalike.faces.server.access import Access
from lookalike.faces.server.guard import Guard
from lookalike.faces.server.headers import SECURITY_HEADERS
from lookalike.faces.server.limits import Limiter, RequestLimits
from lookalike.faces.server.protocol import ConnectionLimits, bounded

MIB = 1 << 20


async def app(scope, receive, send):
    """`/` says hello; `/read` tells the body's length; `/big` sends 64 MiB; `/early` reads afterwards."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    reads = scope["path"] in ("/read", "/api/search")
    read, more = 0, reads
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        read, more = read + len(message["body"]), message["more_body"]
    parts = [bytes(MIB)] * 64 if scope["path"] == "/big" else [str(read).encode() if reads else b"hello"]
    length = str(sum(map(len, parts))).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    if scope["path"] == "/early":
        await receive()
    await send({"type": "http.response.body", "body": b""})


class Collected(logging.Handler):
    """Every record that a server logs, wherever in its thread."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.thread: int | None = None
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.records.append(record)

    def check(self) -> None:
        bad = [one for one in self.records if one.exc_info or one.levelno >= logging.ERROR]
        self.records.clear()
        assert not [one.getMessage() for one in bad]


@dataclass
class Live:
    """A running server."""

    server: uvicorn.Server
    limiter: Limiter
    port: int
    log: Collected

    @property
    def open_connections(self) -> int:
        return len(self.server.server_state.connections)

    @property
    def open_tasks(self) -> int:
        return len(self.server.server_state.tasks)

    def check_nothing_is_left(self) -> None:
        """No connection, task or count is left over, and nothing was logged as an error."""
        assert eventually(lambda: self.open_connections == 0), "connections are left over"
        assert eventually(lambda: self.open_tasks == 0), "tasks are left over"
        assert (self.limiter.requests, self.limiter.bytes_held) == (0, 0)
        self.log.check()

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(15)
        sock.connect(("127.0.0.1", self.port))
        return sock

    def get(self, path: str = "/") -> tuple[int, bytes]:
        """A good client's request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def head(self, request_line: str, *headers: str) -> bytes:
        """The bytes of a request's line and headers."""
        lines = [f"{request_line} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *headers, "", ""]
        return "\r\n".join(lines).encode()


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@contextlib.contextmanager
def serving(
    requests: RequestLimits | None = None, connections: ConnectionLimits | None = None, inner: ASGIApp = app
) -> Iterator[Live]:
    """Run the server; at the end nothing may be left over, and nothing may have been logged as an error."""
    log = Collected()
    logging.getLogger().addHandler(log)
    limiter = Limiter(inner, requests)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            Guard(limiter, Access.listening("127.0.0.1", port)),
            http=bounded(connections),
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=1,
            timeout_graceful_shutdown=3,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        log.thread = thread.ident
        try:
            assert eventually(lambda: server.started)
            live = Live(server, limiter, port, log)
            yield live
            live.check_nothing_is_left()
        finally:
            server.should_exit = True
            thread.join(10)
            logging.getLogger().removeHandler(log)
    assert not thread.is_alive(), "the server does not end"
    log.check()


class GoodClient:
    """Asks for `/` every few milliseconds, on its own connections, while something bad goes on."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.statuses: list[int | str] = []
        self.slowest = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self.statuses.append(self.live.get()[0])
            except OSError as error:
                self.statuses.append(repr(error))
            self.slowest = max(self.slowest, time.monotonic() - begun)
            time.sleep(0.01)

    def __enter__(self) -> GoodClient:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextlib.contextmanager
def undisturbed(live: Live) -> Iterator[None]:
    """A good client gets nothing but its 200s, promptly, for as long as this lasts."""
    with GoodClient(live) as good:
        assert eventually(lambda: len(good.statuses) >= 1)
        yield
        had = len(good.statuses)
        assert eventually(lambda: len(good.statuses) > had + 1)
    assert set(good.statuses) == {200}
    assert good.slowest < 2  # on a busy machine; some milliseconds on a quiet one


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server closes; a reset counts as its end."""
    parts = []
    try:
        while part := sock.recv(65_536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def send_until_cut(sock: socket.socket, data: bytes, pause: float, seconds: float = 12) -> None:
    """Send `data` again and again, `pause` seconds apart, until the server would have no more.

    What the server answered in the meantime stays to be read. Fails if the server bears it for `seconds`.
    """
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            sock.sendall(data)
        except OSError:
            return
        time.sleep(pause)
    raise AssertionError(f"the server was sent to for {seconds} s")


def read_answer(sock: socket.socket) -> bytes:
    """One answer with a Content-Length, on a connection that stays open."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += (part := sock.recv(65_536))
        assert part, f"the answer ends after {answer!r}"
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65_536)
    return head + b"\r\n\r\n" + body


def status_of(answer: bytes) -> int:
    assert answer, "there is no answer"
    return int(answer.split(b" ", 2)[1])


def check_error(answer: bytes, status: int, code: str) -> None:
    """An answer with the contract's JSON, and all security headers once."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status_of(head) == status
    assert json.loads(body)["error"]["code"] == code
    for name, value in SECURITY_HEADERS:
        assert head.lower().count(b"\r\n" + name + b": " + value.lower()) == 1
