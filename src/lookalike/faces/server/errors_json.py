"""The one shape of an error: `{"error": {"code": …, "message": …}}`, for those who answer without the app."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import Send

from lookalike.faces.server.headers import Header, secured


@dataclass(frozen=True)
class Refusal:
    """An answer that says no: HTTP status, a code for programs, one readable line, and headers of its own."""

    status: int
    code: str
    message: str
    headers: tuple[Header, ...] = ()

    def body(self) -> bytes:
        """The JSON text, UTF-8."""
        return json.dumps({"error": {"code": self.code, "message": self.message}}).encode()

    def all_headers(self) -> list[Header]:
        """What describes the body, and the refusal's own headers."""
        length = str(len(self.body())).encode("ascii")
        return [(b"content-type", b"application/json"), (b"content-length", length), *self.headers]

    async def send(self, send: Send) -> None:
        """Answer by ASGI."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.all_headers()})
        await send({"type": "http.response.body", "body": self.body()})

    def wire(self) -> bytes:
        """Answer by HTTP/1.1 bytes, for a connection that is closed after them."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode("ascii")]
        headers = [*self.all_headers(), (b"connection", b"close")]
        lines += [name + b": " + value for name, value in secured(headers)]
        return b"\r\n".join([*lines, b"", self.body()])
