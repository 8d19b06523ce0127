"""Names, addresses and servers for tests of fetching: all on loopback, nothing asks a real network."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpcore2
from anyio.abc import ByteStream, SocketListener, SocketStream
from anyio.streams.tls import TLSStream

from lookalike.errors import FetchError
from lookalike.faces.server.fetch import Fetcher, FetchLimits

PUBLIC = "93.184.215.14"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
SITE = "pictures.example"
PICTURE = b"\xff\xd8 a picture, for all that fetching knows"
FAST = FetchLimits(seconds=5, connect_seconds=1)

Page = bytes | Callable[[ByteStream], Awaitable[None]]


def answer(body: bytes = PICTURE, *headers: str, status: str = "200 OK") -> bytes:
    """An HTTP answer; without a Content-Length among the headers it ends with the connection."""
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""])
    return head.encode("utf-8", "surrogatepass") + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(b"elsewhere", f"Location: {location}", status=status)


@dataclass
class Internet:
    """A resolver and a way to connect, and the two servers that all connections lead to.

    Connections to one of `outside` lead to a server with `pages` (by target), others to a trap that counts.
    `names` gives the answers to a name's look-ups one after the other; the last is given for ever.
    """

    names: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    pages: Mapping[str, Page] = field(default_factory=dict)
    outside: Sequence[str] = (PUBLIC, PUBLIC_V6)
    closed: Sequence[str] = ()  # refuse to be connected to
    tls: ssl.SSLContext | None = None
    lookups: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    trapped: int = 0

    async def __aenter__(self) -> Internet:
        self._stack = AsyncExitStack()
        # `anyio.create_tcp_listener` would start a thread to look 127.0.0.1 up: most of a test's time.
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self._ports = [each.getsockname()[1] for each in sockets]
        listeners = [await SocketListener.from_socket(each) for each in sockets]
        for listener in listeners:
            await self._stack.enter_async_context(listener)
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        for listener, handler in zip(listeners, (self._serve, self._trap), strict=True):
            self._tasks.start_soon(listener.serve, handler)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tasks.cancel_scope.cancel()
        await self._stack.aclose()

    async def resolve(self, host: str, port: int) -> list[str]:
        seen = self.lookups.count(host)
        self.lookups.append(host)
        if host in self.names:
            answers = self.names[host]
            return list(answers[min(seen, len(answers) - 1)])
        numeric = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(address[0]) for *_, address in numeric]

    async def connect(self, ip: str, port: int, seconds: float) -> httpcore2.AsyncNetworkStream:
        self.connected.append((ip, port))
        if ip in self.closed:
            raise httpcore2.ConnectError
        local = self._ports[0 if ip in self.outside else 1]
        return await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", local, timeout=seconds)

    async def _trap(self, stream: SocketStream) -> None:
        self.trapped += 1
        async with stream:
            await stream.receive()  # to close with something unread would reset the connection
            await stream.send(answer(b"secret"))

    async def _serve(self, plain: SocketStream) -> None:
        async with plain:
            try:
                stream = await self._unwrapped(plain)
                head = b""
                while b"\r\n\r\n" not in head:
                    head += await stream.receive()
                self.heads.append(head.decode("ascii"))
                page = self.pages.get(head.split()[1].decode("ascii"), answer(status="404 Not Found"))
                await (stream.send(page) if isinstance(page, bytes) else page(stream))
            except (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
                pass  # the other side has had enough

    async def _unwrapped(self, plain: SocketStream) -> ByteStream:
        # As on the real internet, what comes first on port 443 is TLS.
        if not self.tls or self.connected[-1][1] != 443:
            return plain
        return await TLSStream.wrap(plain, server_side=True, ssl_context=self.tls, standard_compatible=False)


@dataclass(frozen=True)
class Outcome:
    """What came of a fetch: a body or an error's message, and how long it took."""

    body: bytes | None
    error: str | None
    seconds: float


def fetch_each(
    internet: Internet, *addresses: str, limits: FetchLimits = FAST, trusting: ssl.SSLContext | None = None
) -> list[Outcome]:
    """What comes of fetching these addresses one after the other."""

    async def run() -> list[Outcome]:
        async with internet:
            fetcher = Fetcher(limits, resolve=internet.resolve, connect=internet.connect, tls=trusting)
            return [await outcome_of(fetcher, address) for address in addresses]

    return anyio.run(run)


def fetch(internet: Internet, address: str, **options: Any) -> Outcome:
    return fetch_each(internet, address, **options)[0]


async def outcome_of(fetcher: Fetcher, address: str) -> Outcome:
    began = anyio.current_time()
    try:
        body, error = await fetcher.fetch(address), None
    except FetchError as failure:
        body, error = None, str(failure)
    return Outcome(body, error, anyio.current_time() - began)
