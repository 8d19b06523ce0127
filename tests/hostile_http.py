"""A web server on loopback that misbehaves on purpose, path by path.

`HostileServer(answers)` maps paths to functions that write an answer by themselves; `asked` lists what came.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answer = Callable[[Any], None]


class HostileServer:
    """The server; a path that has no answer is not found."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.asked.append(f"{self.command} {self.path}")
                with suppress(ConnectionError):
                    answer = server.answers.get(self.path) or server.answers.get(self.path.partition("?")[0])
                    (answer or status(404))(self)

            do_HEAD = do_GET  # noqa: N815  # as the library wants it

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, line: str) -> int:
        """How often something was asked for, such as "GET /a.jpg"."""
        return self.asked.count(line)


def send(handler: Any, code: int, body: bytes = b"", **headers: str) -> None:
    """Send an answer; `etag="x"` becomes a header."""
    handler.send_response(code)
    headers = {"Content-Length": str(len(body)), **headers}
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def file(content: bytes, **headers: str) -> Answer:
    """A file, in ranges where they are asked for."""

    def answer(handler: Any) -> None:
        wanted = handler.headers.get("Range", "")
        if wanted.startswith("bytes="):
            start, _, end = wanted[6:].partition("-")
            part = content[int(start) : int(end) + 1]
            send(handler, 206, part, **{"Content-Range": f"bytes {start}-{end}/{len(content)}", **headers})
        else:
            send(handler, 200, content, **headers)

    return answer


def status(code: int, body: bytes = b"") -> Answer:
    """Nothing but a status."""
    return lambda handler: send(handler, code, body)


def s3_error(code: int, name: str) -> Answer:
    """An error as S3 tells it, with what must never be shown."""
    told = "<Message>hunter2secret</Message><AWSAccessKeyId>hunter2secret</AWSAccessKeyId>"
    body = f"<Error><Code>{name}</Code>{told}</Error>"
    return lambda handler: send(handler, code, body.encode(), **{"Content-Type": "application/xml"})


def first(times: int, bad: Answer, good: Answer) -> Answer:
    """A bad answer so many times, then a good one."""
    left = [times]

    def answer(handler: Any) -> None:
        left[0] -= 1
        (bad if left[0] >= 0 else good)(handler)

    return answer


def cut(content: bytes, at: int) -> Answer:
    """A body that ends before its announced length."""

    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content[:at])
            handler.wfile.flush()
        handler.close_connection = True

    return answer


def slow(content: bytes, seconds: float) -> Answer:
    """A body that comes one byte after the other."""

    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command != "HEAD":
            for at in range(len(content)):
                handler.wfile.write(content[at : at + 1])
                handler.wfile.flush()
                time.sleep(seconds)

    return answer


def silent(seconds: float) -> Answer:
    """No answer at all for a while."""
    return lambda handler: time.sleep(seconds)


def endless(block: bytes) -> Answer:
    """A body without length and without end."""

    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while handler.command != "HEAD":
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))

    return answer


def redirect(target: str) -> Answer:
    """A redirect."""
    return lambda handler: send(handler, 302, Location=target)
