"""Who may ask: ASGI middleware that stands before everything else.

Any page in the user's browser, and any name that resolves to this machine, can send requests to a server on
it. So a request is let through only if it names this server in `Host` (against DNS rebinding), comes from no
other origin (`Origin`, `Sec-Fetch-Site`: against requests forged by other pages) and, where others can reach
the server, shows the token. No CORS header is ever sent.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.faces.server.access import Access
from lookalike.faces.server.errors_json import Refusal
from lookalike.faces.server.headers import Header, secured

SAFE_METHODS = ("GET", "HEAD")

BAD_TARGET = Refusal(400, "bad_request", "the request must be for a path")
WRONG_HOST = Refusal(
    421,
    "wrong_host",
    "this server does not go by the name that the request gives in Host; start it with --name for that name",
)
WRONG_ORIGIN = Refusal(403, "wrong_origin", "requests from pages of another origin are refused")
NO_TOKEN = Refusal(
    401,
    "token_needed",
    "this server asks for its token: open its address with ?token=… once, or send Authorization: Bearer",
    ((b"www-authenticate", b"Bearer"),),
)


def _header(scope: Scope, name: bytes) -> bytes | None:
    """A header's value; that of one sent twice is joined, and so equal to nothing that is expected."""
    values = [value for key, value in scope["headers"] if key.lower() == name]
    return b", ".join(values) if values else None


def _is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


class Guard:
    """Lets through to `app` what `access` allows, answers the rest, and secures every answer's headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; lifespan events pass, websockets are turned away."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._serve(scope, receive, _securing(send))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._stranger(scope)
        if refusal is None and self.access.token is not None:
            if _brings_token(scope):
                await self._take_token(scope, send)
                return
            refusal = None if self._has_token(scope) else NO_TOKEN
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await refusal.send(send)

    def _stranger(self, scope: Scope) -> Refusal | None:
        """Why a request is not from this server's own page or a program of the user, or None if it may be."""
        host = (_header(scope, b"host") or b"").decode("latin-1").lower()
        if not self.access.goes_by(host):
            return WRONG_HOST
        if not scope["path"].startswith("/"):
            return BAD_TARGET
        origin = _header(scope, b"origin")
        if origin is not None and origin.decode("latin-1").lower() != self.access.origin(host):
            return WRONG_ORIGIN
        return None if _asked_from_here(scope) else WRONG_ORIGIN

    def _has_token(self, scope: Scope) -> bool:
        scheme, _, shown = (_header(scope, b"authorization") or b"").partition(b" ")
        if scheme.lower() == b"bearer":
            return self.access.is_token(shown.strip())
        name, wanted = _cookie_name(scope), self.access.cookie_value()
        pairs = [pair.strip().partition(b"=") for pair in (_header(scope, b"cookie") or b"").split(b";")]
        return any(key == name and hmac.compare_digest(value, wanted) for key, _, value in pairs)

    async def _take_token(self, scope: Scope, send: Send) -> None:
        """Turn the token of the address into a cookie, and lead to an address without it."""
        given = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)["token"]
        if len(given) != 1 or not self.access.is_token(given[0].encode()):
            await NO_TOKEN.send(send)
            return
        cookie = (
            _cookie_name(scope) + b"=" + self.access.cookie_value() + b"; HttpOnly; SameSite=Strict; Path=/"
        )
        cookie += b"; Secure" if self.access.https else b""
        headers: list[Header] = [(b"location", b"/"), (b"set-cookie", cookie), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _asked_from_here(scope: Scope) -> bool:
    """What the browser says of the page that asks; programs that are no browsers say nothing."""
    site = _header(scope, b"sec-fetch-site")
    if site in (None, b"same-origin", b"none"):
        return True
    # A link on another page may lead to this one, but may neither embed it nor lead into the API.
    follows_link = (
        _header(scope, b"sec-fetch-mode") == b"navigate" and _header(scope, b"sec-fetch-dest") == b"document"
    )
    known = site in (b"cross-site", b"same-site")
    return known and scope["method"] in SAFE_METHODS and follows_link and not _is_api(scope["path"])


def _brings_token(scope: Scope) -> bool:
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return scope["method"] == "GET" and scope["path"] == "/" and "token" in query


def _cookie_name(scope: Scope) -> bytes:
    """One name per port: browsers share cookies among all ports of a host."""
    port = (_header(scope, b"host") or b"").rpartition(b":")[2]
    return b"lookalike-" + (port if port.isdigit() else b"default")


def _securing(send: Send) -> Send:
    async def secure(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": secured(message.get("headers", ()))}
        await send(message)

    return secure
