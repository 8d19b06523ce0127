"""Runs the server until it is interrupted: one address, one collection, the page opened in the browser."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import quote

import uvicorn

from lookalike.collection import Collection
from lookalike.errors import LookalikeError, UsageError
from lookalike.faces.server.access import Access, is_open, is_wildcard
from lookalike.faces.server.app import ServerOptions, build_app
from lookalike.faces.server.protocol import ConnectionLimits, bounded, within_open_files
from lookalike.faces.server.rounds import Pair

DEFAULT_PORT = 8000
_BACKLOG = 2048
_GRACE_SECONDS = 3  # for answers under way when it is told to end


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where and to whom to serve.

    `names` are further names by which the server is asked for; with `https`, TLS ends at a proxy in front of
    it. `token` is asked for wherever others are to reach the server: beyond loopback, by further names or by
    a proxy; None makes one. `fetch` says whether pictures are fetched from addresses; None: only where nobody
    else is to reach the server. With `any_port`, a port that is taken gives way to a free one. `ab` are two
    spaces that answer in turns. With `allow_removal`, files of copies can be moved to the trash.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    names: tuple[str, ...] = ()
    https: bool = False
    token: str | None = None
    fetch: bool | None = None
    browser: bool = True
    any_port: bool = False
    ab: Pair | None = None
    allow_removal: bool = False


def serve(collection: Collection, serving: ServeOptions, say: Callable[[str], None]) -> None:
    """Serve a collection until the process is interrupted; `say` hears the address.

    Raises `NotFoundError` where there is no collection, `LookalikeError` where the address cannot be used.
    """
    collection.info()
    ab = None if serving.ab is None else serving.ab.named(collection)
    local = not is_open(serving.host, serving.names, serving.https)
    token = serving.token or (None if local else secrets.token_urlsafe(24))
    with _listening(serving) as listener:
        port = listener.getsockname()[1]
        access = Access.listening(serving.host, port, serving.names, https=serving.https, token=token)
        fetch = local if serving.fetch is None else serving.fetch
        remove = collection.trash_copies if serving.allow_removal else None
        options = ServerOptions(fetch, ab, remove)
        app = build_app(collection, access, options)
        address = _address(serving, port) + (f"?token={quote(token, safe='')}" if token else "")
        config = uvicorn.Config(
            app,
            http=bounded(within_open_files(ConnectionLimits())),
            ws="none",
            lifespan="on",
            loop="asyncio",
            log_level="warning",
            access_log=False,  # what was asked is nobody's business
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        with suppress(KeyboardInterrupt):  # the usual way to end it
            _Server(config, lambda: _tell(address, serving, say)).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._tell_started()


def _listening(serving: ServeOptions) -> socket.socket:
    """Return a socket that listens where it was asked for."""
    host = serving.host.strip("[]")
    if not 0 <= serving.port <= 65535:
        raise UsageError(f"a port is a number from 0 to 65535, got {serving.port}")
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, serving.port, type=socket.SOCK_STREAM)[0]
        # Named as TCP, or asyncio does not turn off Nagle's algorithm: 40 ms an answer.
        listener = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
    except OSError as error:
        raise LookalikeError(f"cannot listen on {serving.host}: {error.strerror or error}") from error
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE and serving.any_port:
            return _listening(replace(serving, port=0, any_port=False))
        way_out = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        what = f"port {serving.port} on {serving.host}"
        raise LookalikeError(f"cannot listen on {what}: {error.strerror or error}{way_out}") from error
    return listener


def _tell(address: str, serving: ServeOptions, say: Callable[[str], None]) -> None:
    say(f"serving on {address}\nstop with Ctrl-C")
    if serving.browser and _has_screen():
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _has_screen() -> bool:
    """Whether a browser would open a window (elsewhere Python may start one in this terminal)."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _address(serving: ServeOptions, port: int) -> str:
    """Return the address by which a person reaches the server."""
    scheme = "https" if serving.https else "http"
    if serving.names and (serving.https or ":" in serving.names[0]):
        return f"{scheme}://{serving.names[0]}/"
    host = serving.names[0] if serving.names else serving.host.strip("[]")
    if is_wildcard(host):
        host = _own_address(host)
    host = f"[{host}]" if ":" in host else host
    # Its own port speaks no TLS: the token would go out in clear there.
    return f"{scheme}://{host}/" if serving.https else f"{scheme}://{host}:{port}/"


def _own_address(wildcard: str) -> str:
    """Return the address that others in this machine's network know it by; loopback where there is none."""
    family, elsewhere, loopback = socket.AF_INET, "192.0.2.1", "127.0.0.1"
    if ":" in wildcard:
        family, elsewhere, loopback = socket.AF_INET6, "2001:db8::1", "::1"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((elsewhere, 9))  # sends nothing: it only chooses an own address
            return str(asked.getsockname()[0])
    except OSError:
        return loopback
