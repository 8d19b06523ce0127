"""What a connection may cost: uvicorn's HTTP/1.1 protocol with the time limits that it lacks.

uvicorn alone waits for ever for a request's headers, for a client to read its answer, and for the end of a
body that nobody wants. Here each of these has its time, and connections have a number. What is overridden of
uvicorn, and what is used of its insides, is checked by `tests/faces/server/test_protocol.py`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lookalike.faces.server.errors_json import Refusal

# h11 looks at the length of headers only while they are incomplete, so they are given to it in pieces.
_PIECE = 8_192

# A body may come in this many pieces, and in one more for every so many bytes.
_FREE_PIECES = 1_000
_BYTES_A_PIECE = 256

FULL = Refusal(503, "busy", "too many connections; try again in a second", ((b"retry-after", b"1"),))
NOT_HTTP = Refusal(400, "bad_request", "not a valid HTTP request, or headers too long or chunks too small")


@dataclass(frozen=True)
class ConnectionLimits:
    """Connections open at once; bytes of a request's headers, half as many again at most; seconds.

    `header_seconds`: from opening, or from the first byte of a further request, to the end of the headers.
    `write_seconds`: in this time a client must take something of what waits for it here; as the system takes
    more only once its own buffer has room, reading next to nothing is not enough.
    `linger_seconds`: how long a client may go on sending after its answer, so that it gets to read that.
    """

    max_connections: int = 4_000
    max_header_bytes: int = 16_384
    header_seconds: float = 10.0
    write_seconds: float = 30.0
    linger_seconds: float = 2.0


def within_open_files(limits: ConnectionLimits, reserve: int = 512) -> ConnectionLimits:
    """`limits` with no more connections than this process may open files, `reserve` of them left for others.

    Raises the process' own limit as far as needed and allowed. Without files left, nobody would be accepted.
    """
    if sys.platform == "win32":
        return limits  # sockets are no files there
    import resource  # absent on Windows

    wanted = limits.max_connections + reserve
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return limits
    return replace(limits, max_connections=max(1, min(limits.max_connections, soft - reserve)))


def bounded(limits: ConnectionLimits | None = None) -> type[BoundedProtocol]:
    """The protocol with these limits, for `uvicorn.Config(http=…)`."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits or ConnectionLimits()})


class BoundedProtocol(H11Protocol):
    """One connection."""

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Connection(h11.SERVER, self.limits.max_header_bytes)
        self._patient: _TimedTransport | None = None
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and begin to wait for headers."""
        real = cast(asyncio.Transport, transport)
        self._patient = _TimedTransport(real, self.loop, self.limits, self._client_may_be_sending)
        super().connection_made(cast(asyncio.Transport, self._patient))
        if len(self.connections) > self.limits.max_connections:
            self.transport.write(FULL.wire())
            self.transport.close()
        else:
            self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        """Take in what came, in pieces small enough for the limit on headers to be seen."""
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _PIECE])
        if self.conn.their_state is h11.IDLE:
            self._wait_for_headers()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._stop_waiting()
        super().connection_lost(exc)
        if self._patient is not None:
            self._patient.release()

    def on_response_complete(self) -> None:
        """Close where the answer came before the end of the request, which might never come."""
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - called by uvicorn
        """Answer what is not HTTP, unless another answer has begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(NOT_HTTP.wire())
        self.transport.close()

    def shutdown(self) -> None:
        """End when the server does; a connection that is being closed already is."""
        if not self.transport.is_closing():
            super().shutdown()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: anyone may ask for an upgrade, and fill the log so."""

    def _client_may_be_sending(self) -> bool:
        return self.conn.their_state is not h11.IDLE

    def _wait_for_headers(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.limits.header_seconds, self._headers_late)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_late(self) -> None:
        self._header_timer = None
        self.transport.close()


class _Connection(h11.Connection):
    """h11's parser, which gives up on a body in crumbs: one byte a chunk costs as much as 8 kB."""

    _pieces = 0
    _bytes = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next part of a request; `h11.RemoteProtocolError` for what is none."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > _FREE_PIECES + self._bytes // _BYTES_A_PIECE:
                raise h11.RemoteProtocolError("chunks too small")
        return event


class _TimedTransport:
    """A transport as uvicorn uses it, which closes politely and watches that what is written is taken.

    Closing a socket with unread bytes resets the connection, and the client loses the answer. So while the
    client may be sending, closing ends only our side; what still comes is forgotten, and soon the rest is
    closed too.
    """

    def __init__(
        self,
        real: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        limits: ConnectionLimits,
        client_may_be_sending: Callable[[], bool],
    ) -> None:
        self._real = real
        self._loop = loop
        self._limits = limits
        self._client_may_be_sending = client_may_be_sending
        self._closing = False
        self._linger_timer: asyncio.TimerHandle | None = None
        self._watch_timer: asyncio.TimerHandle | None = None
        self._written = 0
        self._taken = 0  # when last it grew
        self._taken_at = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def is_closing(self) -> bool:
        """Whether our side has ended, or is about to."""
        return self._closing or self._real.is_closing()

    def write(self, data: bytes) -> None:
        """Send, and watch that it is taken; nothing goes out after closing."""
        if self._closing:
            return
        self._real.write(data)
        self._written += len(data)
        waiting = self._real.get_write_buffer_size()
        if waiting and self._watch_timer is None:
            self._taken, self._taken_at = self._written - waiting, self._loop.time()
            self._watch_later()

    def close(self) -> None:
        """End our side now, and theirs when they have, or after a while."""
        if self.is_closing():
            return
        self._closing = True
        if not self._client_may_be_sending():
            self._real.close()
            return
        self._linger_timer = self._loop.call_later(self._limits.linger_seconds, self._real.close)
        self._real.resume_reading()
        # With bytes still to go, asyncio would do this later, where nobody can catch its error.
        if self._real.can_write_eof() and not self._real.get_write_buffer_size():
            try:
                self._real.write_eof()
            except OSError:  # the client is gone
                self._real.close()

    def release(self) -> None:
        """Forget the timers."""
        for timer in (self._linger_timer, self._watch_timer):
            if timer is not None:
                timer.cancel()
        self._linger_timer = self._watch_timer = None

    def _watch_later(self) -> None:
        self._watch_timer = self._loop.call_later(self._limits.write_seconds / 4, self._watch)

    def _watch(self) -> None:
        waiting = self._real.get_write_buffer_size()
        if not waiting:
            self._watch_timer = None
            return
        now, taken = self._loop.time(), self._written - waiting
        if taken > self._taken:
            self._taken, self._taken_at = taken, now
        elif now - self._taken_at >= self._limits.write_seconds:
            self._watch_timer = None
            self._real.abort()
            return
        self._watch_later()
