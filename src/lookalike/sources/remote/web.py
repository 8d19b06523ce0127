"""Files on web servers, by the session of fsspec: what one address holds, and the links of an index page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin

from lookalike.errors import UsageError
from lookalike.sources.remote.addresses import check_open
from lookalike.sources.remote.listed import Listed, gathered, stamp_from
from lookalike.sources.remote.troubles import CutShortError, TooLargeError

_MOST_REDIRECTS = 5
_LONGEST_PAGE = 16 << 20  # bytes of an index
_BLOCK = 1 << 20
_NO_HEAD = frozenset((400, 403, 405, 501))
_PLAIN = {"Accept-Encoding": "identity"}


class WebStore:
    """What lies at http and https addresses."""

    def __init__(self, files: Any) -> None:
        self._files = files

    async def page(self, folder: str, mark: Any = None) -> tuple[list[Listed], Any]:
        """Return what one index page links to below its folder; the mark holds the pages still to be read."""
        waiting, seen = mark if mark is not None else ([f"{folder}/"], {f"{folder}/"})
        here = waiting.pop(0)
        content = await self.fetch(here, _LONGEST_PAGE)
        links = [each for each in links_of(content.decode("utf-8", "replace"), here) if each not in seen]
        seen.update(links)
        waiting += [each for each in links if each.endswith("/")]
        listed = [Listed(each, None, None) for each in links if not each.endswith("/")]
        return listed, (waiting, seen) if waiting else None

    async def look(self, uri: str) -> Listed:
        """Return the facts of what lies at an address."""
        async with self._asked("HEAD", uri) as answer:
            if answer.status not in _NO_HEAD:
                return _listed(uri, answer)
        async with self._asked("GET", uri) as answer:  # its body is not read
            return _listed(uri, answer)

    async def is_folder(self, uri: str) -> bool:
        """Whether a page for people lies at an address, such as an index."""
        async with self._asked("GET", uri) as answer:
            answer.raise_for_status()
            return str(answer.content_type) == "text/html"

    async def fetch(self, uri: str, most_bytes: int, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes at an address, or a stretch of them."""
        part = {} if length is None else {"Range": f"bytes={start}-{start + length - 1}"}
        async with self._asked("GET", uri, part) as answer:
            answer.raise_for_status()
            if length is None or answer.status == 206:
                return await gathered(answer.content, most_bytes, _announced(answer))
            return await _stretch(answer.content, most_bytes, start, length)

    @asynccontextmanager
    async def _asked(
        self, method: str, uri: str, headers: dict[str, str] | None = None
    ) -> AsyncIterator[Any]:
        session = await self._files.set_session()
        how = {"headers": {**_PLAIN, **(headers or {})}, "max_redirects": _MOST_REDIRECTS}
        async with session.request(method, uri, allow_redirects=True, **how) as answer:
            yield answer


async def _stretch(body: Any, most_bytes: int, start: int, length: int) -> bytes:
    """Return a stretch of a whole body, from a server that knows no ranges."""
    if length > most_bytes:
        raise TooLargeError(most_bytes)
    at, kept = 0, bytearray()
    while len(kept) < length and (block := await body.read(_BLOCK)):
        kept += block[max(start - at, 0) : max(start + length - at, 0)]
        at += len(block)
    if len(kept) != length:
        raise CutShortError
    return bytes(kept)


def _announced(answer: Any) -> int | None:
    encoded = answer.headers.get("Content-Encoding", "identity").lower() != "identity"
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and not encoded else None


def _listed(uri: str, answer: Any) -> Listed:
    answer.raise_for_status()
    size = _announced(answer)
    stamp = stamp_from(size, answer.headers.get("ETag"), answer.headers.get("Last-Modified"))
    return Listed(uri, size, stamp)


class _Links(HTMLParser):
    """Gathers where a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the target of a link."""
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def links_of(page: str, address: str) -> list[str]:
    """Return the addresses below its own that a page links to, without any that has a query."""
    parser = _Links()
    parser.feed(page)
    found: dict[str, None] = {}
    for link in parser.found:
        try:
            target = urldefrag(urljoin(address, link)).url
            check_open(target)
        except (ValueError, UsageError):
            continue
        if target.startswith(address) and target != address and "?" not in target:
            found[target] = None
    return list(found)
