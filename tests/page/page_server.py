"""A `lookalike serve` process for the page's tests."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_LIMIT_S = 30


class PageServer:
    """Serves a collection at `address`, from entering to leaving; can be stopped and started between."""

    def __init__(self, collection: Path, *options: str) -> None:
        self.collection = collection
        self.options = options
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "lookalike", "serve", "--collection", str(self.collection)]
        command += ["--no-browser", "--port", str(self.port), *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        give_up = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self.get("/api/health")
                return
            except urllib.error.URLError:
                assert time.monotonic() < give_up, "the server does not start"
                time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return json.load(answer)

    def items(self) -> dict[str, int]:
        """Ids by folder and file name, such as `panda/image_0001.jpg`."""
        found, cursor = {}, "0"
        while cursor is not None:
            page = self.get(f"/api/items?limit=100&cursor={cursor}")
            found.update({"/".join(Path(item["uri"]).parts[-2:]): item["id"] for item in page["items"]})
            cursor = page["next"]
        return found

    def ids_of(self, folder: str) -> list[int]:
        return [item_id for name, item_id in self.items().items() if name.startswith(f"{folder}/")]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
