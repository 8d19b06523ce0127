"""A collection served for real: the whole application on a free loopback port, in a thread."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from lookalike import Collection
from lookalike.faces.server.access import Access
from lookalike.faces.server.app import ServerOptions, build_app
from lookalike.faces.server.protocol import ConnectionLimits, bounded


@contextlib.contextmanager
def served(
    collection: Collection, *, https: bool = False, token: str | None = None, **options: Any
) -> Iterator[str]:
    """Serve until the block ends; gives the address, such as `http://127.0.0.1:41234`."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        port = listener.getsockname()[1]
        app = build_app(
            collection,
            Access.listening("127.0.0.1", port, https=https, token=token),
            ServerOptions(**options),
        )
        config = uvicorn.Config(
            app,
            http=bounded(ConnectionLimits()),
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        end = time.monotonic() + 10
        while not server.started and time.monotonic() < end:
            time.sleep(0.01)
        try:
            assert server.started
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(20)
    assert not thread.is_alive(), "the server does not end"
