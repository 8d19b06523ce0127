"""Fetch a picture from an address that a user gives, without lending out this machine's place in its network.

Whoever can make a server fetch can make it ask machines that only it can reach. So every IP address that a
name stands for must be public; the connection goes to just those that were checked, so that the name cannot
change its mind in between (DNS rebinding); redirects are followed here and each is checked from scratch; time
and size are bounded; and whatever fails beyond the address as written is reported with one message, which
tells nothing about the network.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import anyio
import httpcore2
from anyio import to_thread
from anyio.lowlevel import checkpoint

from lookalike.errors import FetchError
from lookalike.faces.server.addresses import is_own_network, is_public
from lookalike.faces.server.urls import Url, parse_url

UNREACHABLE = "nothing could be fetched from this address; it must be a public http(s) address of a picture"

Resolve = Callable[[str, int], Awaitable[list[str]]]
Connect = Callable[[str, int, float], Awaitable[httpcore2.AsyncNetworkStream]]

_MAX_TRIED = 4  # of a name's addresses
_SIP_BYTES = 4096
_REDIRECTS = {301, 302, 303, 307, 308}
_HEADERS = [("Accept", "image/*"), ("Accept-Encoding", "identity"), ("Connection", "close")]
_USER_AGENT = ("User-Agent", "lookalike")  # some sites refuse those that do not say what they are


class _RefusedError(Exception):
    """This address leads nowhere that may be fetched; the reason is for the log alone."""


_FAILURES = (
    _RefusedError,
    *(OSError, ValueError),  # look-up, TLS, time limit; a name or header that a library refuses
    *(httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException),
    *(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream),
)


@dataclass(frozen=True)
class FetchLimits:
    """What one fetch may cost, and how many run at once."""

    seconds: float = 10.0  # for everything: waiting for its turn, look-ups, connections, redirects, body
    connect_seconds: float = 3.0  # for each IP address of a name: a dead one leaves time for the next
    body_bytes: int = 10_000_000
    redirects: int = 3
    at_once: int = 8


async def system_resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a name, or of a number as the system reads them; raises OSError."""
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    # A hanging look-up cannot be stopped; its thread is left to end by itself.
    found = await to_thread.run_sync(look_up, abandon_on_cancel=True)
    return [str(address[0]) for *_, address in found]


async def open_stream(ip: str, port: int, seconds: float) -> httpcore2.AsyncNetworkStream:
    """Connect to a literal IP address, by no proxy; raises httpcore2.ConnectError or ConnectTimeout."""
    return await httpcore2.AnyIOBackend().connect_tcp(ip, port, timeout=seconds)


class Fetcher:
    """Fetches from public addresses only.

    `resolve` (host, port → IP addresses), `connect` (IP address, port, seconds → stream) and `tls` (whom to
    trust) stand in for the system's own.
    """

    def __init__(
        self,
        limits: FetchLimits | None = None,
        *,
        resolve: Resolve = system_resolve,
        connect: Connect = open_stream,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits or FetchLimits()
        self._resolve = resolve
        self._connect = connect
        self._tls = tls
        self._turns = anyio.Semaphore(self._limits.at_once)

    async def fetch(self, address: str) -> bytes:
        """Return the bytes at a public http or https address, without looking whether they are a picture.

        Raises FetchError, which says what is wrong with the address as written, that it holds too much,
        or `UNREACHABLE`.
        """
        url = parse_url(address)
        try:
            with anyio.fail_after(self._limits.seconds):
                async with self._turns:
                    return await self._follow(url)
        except _FAILURES as error:
            raise FetchError(UNREACHABLE) from error

    async def _follow(self, url: Url) -> bytes:
        for _ in range(self._limits.redirects + 1):
            answer = await self._ask(url)
            if isinstance(answer, bytes):
                return answer
            url = answer
        raise _RefusedError(f"more than {self._limits.redirects} redirects")

    async def _ask(self, url: Url) -> bytes | Url:
        """Return the body of one answer, or where it redirects to."""
        stream = await self._connected(await self._public_addresses(url), url.port)
        try:
            speaking = await self._with_tls(stream, url.host) if url.scheme == "https" else stream
            origin = httpcore2.Origin(url.scheme.encode(), url.host.encode(), url.port)
            connection = httpcore2.AsyncHTTP11Connection(origin, _SmallReads(speaking))
            asked = httpcore2.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)
            headers = [("Host", url.authority), _USER_AGENT, *_HEADERS]
            async with connection.stream("GET", asked, headers=headers) as response:
                if response.status in _REDIRECTS:
                    return _redirected(url, response)
                return await self._body(response)
        finally:
            with anyio.CancelScope(shield=True):
                await stream.aclose()

    async def _public_addresses(self, url: Url) -> list[str]:
        ips = list(dict.fromkeys(await self._resolve(url.host, url.port)))
        if not ips:
            raise _RefusedError("no address")
        # One private address among public ones is refused too: it shows a name made to mislead.
        for ip in ips:
            if not is_public(ip) or is_own_network(ip):
                raise _RefusedError(f"{ip} is not public")
        return ips[:_MAX_TRIED]

    async def _connected(self, ips: list[str], port: int) -> httpcore2.AsyncNetworkStream:
        """Return a connection to the first of these addresses that answers; nothing is looked up again."""
        failure: Exception | None = None
        for ip in ips:
            try:
                return await self._connect(ip, port, self._limits.connect_seconds)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise _RefusedError("no address answers") from failure

    async def _with_tls(
        self, stream: httpcore2.AsyncNetworkStream, name: str
    ) -> httpcore2.AsyncNetworkStream:
        """Return the connection with TLS on it, after the server has proved to be of this name."""
        if self._tls is None:  # reading all certificate authorities takes a while; everybody else goes on
            self._tls = await to_thread.run_sync(httpcore2.default_ssl_context)
        return await stream.start_tls(self._tls, server_hostname=name)

    async def _body(self, response: httpcore2.Response) -> bytes:
        if response.status != 200:
            raise _RefusedError(f"status {response.status}")
        # What was not asked for: unpacking it could make gigabytes of a few bytes.
        if {value.lower() for value in _values(response, b"content-encoding")} - {b"identity"}:
            raise _RefusedError("an encoded body")
        for length in _values(response, b"content-length"):
            self._check_size(int(length))
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            self._check_size(len(body))
        return bytes(body)

    def _check_size(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise FetchError(f"what is at this address is larger than {self._limits.body_bytes / 1e6:g} MB")


class _SmallReads(httpcore2.AsyncNetworkStream):
    """A connection read a little at a time: what a flood of crumbs costs is shared out among all waiting."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        await checkpoint()  # TLS returns at once what it holds already
        return await self._stream.read(min(max_bytes, _SIP_BYTES), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _redirected(url: Url, response: httpcore2.Response) -> Url:
    locations = _values(response, b"location")
    if len(locations) != 1:
        raise _RefusedError(f"a redirect to {len(locations)} places")
    try:
        return url.joined(locations[0].decode("utf-8"))
    except FetchError as error:  # its message is for who wrote the address, not for whom it was redirected
        raise _RefusedError(f"redirect: {error}") from error


def _values(response: httpcore2.Response, name: bytes) -> list[bytes]:
    return [value for key, value in response.headers if key.lower() == name]
