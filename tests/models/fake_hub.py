"""A server that answers as the Hugging Face Hub does, and misbehaves when it is told to."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """One repository `owner/name`; its large files lie on a second host, reached by a redirect.

    `cut` maps a file to after how many bytes the connection breaks, once for each number. `swapped` maps a
    file to other bytes than those announced. `refuse` is a status that the next requests get.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.card: dict[str, object] = {"license": "apache-2.0"}
        self.cut: dict[str, list[int]] = {}
        self.swapped: dict[str, bytes] = {}
        self.refuse: list[int] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.ignores_ranges = False
        self.announces_size = True
        self.redirect_to: str | None = None
        self.address = self.storage = ""

    def listing(self) -> dict[str, object]:
        """What the API says of the repository."""
        siblings = []
        for name, content in self.files.items():
            facts: dict[str, object] = {"rfilename": name, "blobId": git_sha1(content)}
            if self.announces_size:
                facts["size"] = len(content)
            if name.endswith(".onnx"):
                sha256 = hashlib.sha256(content).hexdigest()
                facts |= {"lfs": {"sha256": sha256, "size": len(content), "pointerSize": 130}}
            siblings.append(facts)
        return {"id": "owner/name", "sha": COMMIT, "siblings": siblings, "cardData": self.card}

    def gets(self, ending: str) -> list[dict[str, str]]:
        """The headers of the requests for addresses with an ending, redirects left out."""
        return [headers for path, host, headers in self.asked if path.endswith(ending) and host == "storage"]


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Let the hub answer on two addresses of this machine."""
    servers = []
    for host in ("api", "storage"):
        handler = type("Handler", (_Handler,), {"hub": hub, "host": host})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
    hub.address, hub.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    yield hub
    for server in servers:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    host: str

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.hub.asked.append((path, self.host, dict(self.headers)))
        if self.hub.refuse:
            self._answer(self.hub.refuse.pop(0), b"no")
        elif path.startswith("/api/models/owner/name/revision/"):
            known = path.rsplit("/", 1)[-1] in ("main", "v1", COMMIT)
            assert parse_qs(parts.query) == {"blobs": ["true"]}
            self._answer(200 if known else 404, json.dumps(self.hub.listing()).encode())
        elif path.startswith(prefix := f"/owner/name/resolve/{COMMIT}/"):
            name = path.removeprefix(prefix)
            if self.host == "api" and name in self.hub.files:
                self._redirect((self.hub.redirect_to or self.hub.storage) + self.path)
            else:
                self._file(name)
        else:
            self._answer(404, b"")

    def _file(self, name: str) -> None:
        content = self.hub.swapped.get(name, self.hub.files[name])
        begin = self.headers.get("Range", "")
        at = 0 if self.hub.ignores_ranges or not begin else int(begin.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if at else 200)
        if at:
            self.send_header("Content-Range", f"bytes {at}-{len(content) - 1}/{len(content)}")
        if name not in self.hub.swapped:
            self.send_header("Content-Length", str(len(content) - at))
        self.end_headers()
        cuts = self.hub.cut.get(name)
        self.wfile.write(content[at : at + cuts.pop(0)] if cuts else content[at:])
        self.close_connection = True

    def _redirect(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
