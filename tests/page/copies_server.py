"""The server for the review of copies: in a thread, as its copies are told by the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from fake_copies import CollectionWithCopies, Found
from lookalike.embedders.fake import FakeEmbedder
from lookalike.faces.server.access import Access
from lookalike.faces.server.app import ServerOptions, build_app
from lookalike.faces.server.protocol import ConnectionLimits, bounded

START_LIMIT_S = 20


@contextmanager
def copies_served(
    path: Path, found: Found, *, removal: bool = False
) -> Iterator[tuple[str, CollectionWithCopies]]:
    """Serve a collection with these copies; gives the address and the collection."""
    collection = CollectionWithCopies(path, embedder=FakeEmbedder())
    collection.found = found
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        options = ServerOptions(remove=collection.trash_copies if removal else None)
        app = build_app(collection, Access.listening("127.0.0.1", port), options)
        http = bounded(ConnectionLimits())
        server = uvicorn.Server(uvicorn.Config(app, http=http, ws="none", log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        give_up = time.monotonic() + START_LIMIT_S
        while not server.started and time.monotonic() < give_up:
            time.sleep(0.01)
        try:
            assert server.started, "the server does not start"
            yield f"http://127.0.0.1:{port}", collection
        finally:
            server.should_exit = True
            thread.join(START_LIMIT_S)
    assert not thread.is_alive(), "the server does not end"
