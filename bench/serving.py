"""The server under load: latency of uploads, throughput, many clients at once, first paint of the page.

python bench/serving.py one FOLDER        one client, uploads of about 100 kB
python bench/serving.py many FOLDER       16 clients beside what the machine can do without a server
python bench/serving.py crowd FOLDER      1,000 clients with 10 searches each, held against the serial answers
python bench/serving.py paint FOLDER      first paint of the page in headless Chromium
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from common import DATA, WORK, median, percentile

_TARGET_BYTES = 100_000
_ROUNDS = 3


def main() -> None:
    """Do one step and print its figures as JSON."""
    step, folder = sys.argv[1], Path(sys.argv[2])
    print(json.dumps({"one": _one, "many": _many, "crowd": _crowd, "paint": _paint}[step](folder)))


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Run `lookalike serve` on a free port; gives the port."""
    command = [sys.executable, "-m", "lookalike", "serve", "-c", str(folder), "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # it is a pipe
        found = re.search(r":(\d+)/", process.stdout.readline())
        assert found is not None  # it says where it serves
        try:
            yield int(found[1])
        finally:
            process.terminate()


def uploads(count: int) -> list[bytes]:
    """COCO photos, saved anew at the JPEG quality that makes them about 100 kB; each distinct."""
    made = []
    for path in sorted((DATA / "coco256" / "images").glob("*.jpg"))[:count]:
        with Image.open(path) as picture:
            best = min((_saved(picture, quality) for quality in range(60, 97, 4)), key=_off_target)
        made.append(best)
    return made


def _saved(picture: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def _off_target(content: bytes) -> int:
    return abs(len(content) - _TARGET_BYTES)


def upload_request(port: int, content: bytes) -> bytes:
    """The bytes of a search by an uploaded photo."""
    head = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    body = head + content + b"\r\n--b--\r\n"
    return _request(port, "multipart/form-data; boundary=b", body)


def item_request(port: int, item: int) -> bytes:
    """The bytes of a search by an item."""
    return _request(port, "application/json", json.dumps({"examples": [{"item": item}], "k": 10}).encode())


def _request(port: int, kind: str, body: bytes) -> bytes:
    lines = ["POST /api/search HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Type: {kind}"]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class Client:
    """One keep-alive connection that does as little as possible itself: client and server share the cores."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None  # the API always says it
        return int(head[9:12]), await self._reader.readexactly(int(length[1]))

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()


def _one(folder: Path) -> dict[str, Any]:
    photos = uploads(100)

    async def run(port: int) -> list[float]:
        client, times = Client(port), []
        for number in range(len(photos) * (_ROUNDS + 1)):
            request = upload_request(port, photos[number % len(photos)])
            begun = time.perf_counter()
            status, _ = await client.ask(request)
            assert status == 200
            times.append(time.perf_counter() - begun)
        client.close()
        return times[len(photos) :]

    with serving(folder) as port:
        times = asyncio.run(run(port))
    return {
        "upload_kb": median([len(each) / 1000 for each in photos]),
        "ms": 1e3 * median(times),
        "p99_ms": 1e3 * percentile(times, 0.99),
        "requests": len(times),
    }


def _many(folder: Path) -> dict[str, Any]:
    """Photos per second with 16 clients; of inference alone, and of decoding and inference in threads."""
    photos = uploads(100)
    with serving(folder) as port:
        asyncio.run(_throughput(port, photos, 16, 100))
        served = [asyncio.run(_throughput(port, photos, 16, 600)) for _ in range(_ROUNDS)]
    inference, pipeline = _without_server(photos)
    return {"served": median(served), "inference": inference, "pipeline": pipeline}


async def _throughput(port: int, photos: list[bytes], clients: int, count: int) -> float:
    requests = iter([upload_request(port, photos[number % len(photos)]) for number in range(count)])

    async def work() -> None:
        client = Client(port)
        for request in requests:
            status, _ = await client.ask(request)
            assert status == 200
        client.close()

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return count / (time.perf_counter() - begun)


def _without_server(photos: list[bytes]) -> tuple[float, float]:
    """Return photos per second of the embedder alone, and of decoder and embedder on the same bytes.

    One photo at a time in each of as many threads as the server uses.
    """
    import numpy as np

    from lookalike.cores import cpu_count
    from lookalike.decode.pool import DecodePool
    from lookalike.decode.requests import PhotoRequest
    from lookalike.embedders.onnx import OnnxEmbedder
    from lookalike.models import load_bundled
    from lookalike.records import Photo

    embedder = OnnxEmbedder(load_bundled(), threads=cpu_count())
    view = embedder.spec.view
    pixels = np.zeros((1, view.size, view.size, 3), np.uint8)
    with DecodePool() as pool:

        def both(number: int) -> None:
            photo = pool.photo(PhotoRequest("", "", view, content=photos[number % len(photos)]))
            assert isinstance(photo, Photo) and photo.pixels is not None
            embedder.embed(photo.pixels[None])

        inference, pipeline = [], []
        _in_threads(both, 100)
        for _ in range(_ROUNDS):
            inference.append(_in_threads(lambda _: embedder.embed(pixels), 600))
            pipeline.append(_in_threads(both, 600))
    return median(inference), median(pipeline)


def _in_threads(work: Any, count: int) -> float:
    from lookalike.cores import cpu_count

    numbers = iter(range(count))
    lock = threading.Lock()

    def run() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            work(number)

    threads = [threading.Thread(target=run) for _ in range(cpu_count() + 2)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.perf_counter() - begun)


def _crowd(folder: Path) -> dict[str, Any]:
    """1,000 clients with 10 searches each, nine by items and one by an upload, all connected at once."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    photos = uploads(50)
    with serving(folder) as port:
        asked = [item_request(port, 1 + 37 * number) for number in range(450)]
        asked += [upload_request(port, photo) for photo in photos]
        statuses, wrong, seconds = asyncio.run(_ask_all(port, asked))
    return {"statuses": statuses, "wrong": wrong, "seconds": seconds, "searches": sum(statuses.values())}


async def _ask_all(port: int, asked: list[bytes]) -> tuple[dict[str, int], int, float]:
    alone = Client(port)
    serial = [(await alone.ask(request))[1] for request in asked]
    alone.close()
    statuses: Counter[str] = Counter()
    wrong = 0

    async def one(number: int) -> None:
        nonlocal wrong
        client = Client(port)
        for turn in range(10):
            at = (number * 10 + turn) * 7 % len(asked)
            try:
                status, body = await client.ask(asked[at])
            except (OSError, asyncio.IncompleteReadError) as error:
                statuses[type(error).__name__] += 1
                client = Client(port)
                continue
            statuses[str(status)] += 1
            wrong += status == 200 and body != serial[at]
        client.close()

    begun = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(1000)))
    return dict(statuses), wrong, time.perf_counter() - begun


def _paint(folder: Path) -> dict[str, Any]:
    """Milliseconds to the first contentful paint and to the first photo, each in a new browser profile."""
    from playwright.sync_api import sync_playwright

    browser_path = os.environ.get("LOOKALIKE_CHROMIUM") or shutil.which("chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    paints, photos = [], []
    with serving(folder) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
        for _ in range(9):
            with browser.new_context() as context:
                page = context.new_page()
                page.goto(f"http://127.0.0.1:{port}/")
                page.wait_for_selector(".grid-pick img[src]")
                timing = page.evaluate(
                    "() => [performance.getEntriesByName('first-contentful-paint')[0].startTime,"
                    " performance.now()]"
                )
                paints.append(timing[0])
                photos.append(timing[1])
        browser.close()
    web = Path(__file__).resolve().parent.parent / "src" / "lookalike" / "web"
    first = [path for path in web.iterdir() if path.stem not in ("notebook", "rate", "texts", "viewer")]
    size = sum(path.stat().st_size for path in first)  # of what is not loaded later
    return {"paint_ms": median(paints), "photo_ms": median(photos), "page_kb": size / 1000}


if __name__ == "__main__":
    WORK.mkdir(parents=True, exist_ok=True)
    main()
