"""How much may be asked: ASGI middleware that bounds bodies in size, time and number.

A request that breaks a limit is cut short: what the app was doing for it ends where it waits for the body,
and the answer comes from here. Nothing is read ahead: the app still gets the body piece by piece.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.faces.server.errors_json import Refusal

FORM_OVERHEAD = 65_536
_CLOSE = (b"connection", b"close")

TOO_SLOW = Refusal(408, "too_slow", "the request's body did not arrive in time", (_CLOSE,))
BUSY = Refusal(
    503, "busy", "too much is being asked at once; try again in a second", ((b"retry-after", b"1"),)
)
BAD_LENGTH = Refusal(
    400, "bad_request", "a body has a Content-Length, which is a number, or a Transfer-Encoding", (_CLOSE,)
)


def too_large(limit: int) -> Refusal:
    """The answer to a body of more than `limit` bytes."""
    return Refusal(413, "too_large", f"the request's body may have {limit:,} bytes at most", (_CLOSE,))


@dataclass(frozen=True)
class RequestLimits:
    """Bytes of one request's body and of all bodies held at once; seconds; requests in progress.

    `body_seconds` is the time spent waiting for a body in all, `chunk_seconds` that for its next piece; the
    time that the app takes is not counted.
    """

    max_requests: int = 2_000
    max_body_bytes: int = 65_536
    max_upload_bytes: int = 20_000_000 + FORM_OVERHEAD
    upload_paths: frozenset[str] = field(default=frozenset({"/api/search", "/api/preview"}))
    max_body_bytes_in_flight: int = 512_000_000
    body_seconds: float = 20.0
    chunk_seconds: float = 5.0

    def body_limit(self, method: str, path: str) -> int:
        """How many bytes the body of such a request may have."""
        return (
            self.max_upload_bytes if method == "POST" and path in self.upload_paths else self.max_body_bytes
        )


class Limiter:
    """Keeps the requests to `app` within `limits`; one per server, as it counts them."""

    def __init__(self, app: ASGIApp, limits: RequestLimits | None = None) -> None:
        self.app = app
        self.limits = limits or RequestLimits()
        self.requests = 0
        self.bytes_held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal.send(send)
            return
        exchange = _Exchange(self, scope, receive, send)
        self.requests += 1
        try:
            await exchange.run()
        finally:
            self.requests -= 1
            self.bytes_held -= exchange.received

    def _refusal(self, scope: Scope) -> Refusal | None:
        """What can be said before reading."""
        lengths = {value.strip() for name, value in scope["headers"] if name.lower() == b"content-length"}
        chunked = any(name.lower() == b"transfer-encoding" for name, _ in scope["headers"])
        # With both, a proxy in front may see another end of the body, and so another next request.
        if not all(length.isdigit() for length in lengths) or (lengths and chunked):
            return BAD_LENGTH
        limit = self.limits.body_limit(scope["method"], scope["path"])
        # Twenty digits are more than any limit, and thousands of them more than int() takes.
        longest = max((int(length[:20]) for length in lengths), default=0)
        if longest > limit:
            return too_large(limit)
        if self.requests >= self.limits.max_requests or not self.has_room(longest):
            return BUSY
        return None

    def has_room(self, more: int) -> bool:
        """Whether `more` bytes of bodies can be held beside those that are."""
        return self.bytes_held + more <= self.limits.max_body_bytes_in_flight


class _CutShortError(BaseException):
    """Ends the app's work on a request; no Exception, lest the app take it for an error of its own."""


class _Exchange:
    """One request and its answer, as the app sees them."""

    def __init__(self, limiter: Limiter, scope: Scope, receive: Receive, send: Send) -> None:
        self._limiter = limiter
        self._limits = limiter.limits
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limit = limiter.limits.body_limit(scope["method"], scope["path"])
        self._waited = 0.0
        self._body_ended = False
        self._answer_begun = False
        self._cut = False
        self._refusal: Refusal | None = None
        self.received = 0

    async def run(self) -> None:
        """Let the app answer; where it was cut short before it began to, answer instead."""
        try:
            await self._limiter.app(self._scope, self.receive, self.send)
        except BaseException as error:
            # What comes out of an app that was cut short is the cut's doing, but for the server's own end.
            if not self._cut or isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
                raise
        if self._refusal is not None:
            await self._refusal.send(self._send)

    async def send(self, message: Message) -> None:
        """The app's answer; dropped once it was cut short."""
        if not self._cut:
            self._answer_begun = True
            await self._send(message)

    async def receive(self) -> Message:
        """The next piece of the body, if it comes in time and fits."""
        if self._cut:
            raise _CutShortError
        if self._body_ended:
            return await self._receive()
        message = await self._next_piece()
        if message is None:
            return self._give_up(TOO_SLOW)
        if message["type"] == "http.disconnect":
            return self._give_up(None)
        size = len(message.get("body", b""))
        if self.received + size > self._limit:
            return self._give_up(too_large(self._limit))
        if not self._limiter.has_room(size):
            return self._give_up(BUSY)
        self.received += size
        self._limiter.bytes_held += size
        self._body_ended = not message.get("more_body", False)
        return message

    async def _next_piece(self) -> Message | None:
        """What the server has next, or None if it took too long."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        patience = min(self._limits.chunk_seconds, self._limits.body_seconds - self._waited)
        try:
            async with asyncio.timeout(patience):
                return await self._receive()
        except TimeoutError:
            return None
        finally:
            self._waited += loop.time() - begun

    def _give_up(self, refusal: Refusal | None) -> Message:
        """Cut the app short; one that has begun to answer is told that the client is gone, and may end."""
        if self._answer_begun:
            self._body_ended = True
            return {"type": "http.disconnect"}
        self._refusal, self._cut = refusal, True
        raise _CutShortError
