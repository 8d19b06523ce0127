"""Objects in any store that fsspec has: by its own calls, in its event loop or in threads of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from lookalike.sources.remote.listed import Listed, stamp_from, tag_and_time
from lookalike.sources.remote.troubles import CutShortError, TooLargeError

_T = TypeVar("_T")
_FROM_BUCKETS = ("gs", "az", "abfs", "abfss", "adl", "oss", "oci")  # whose paths begin with a bucket


class AnyStore:
    """A store behind an fsspec file system; `root` is what its paths begin with in addresses."""

    def __init__(self, files: Any, scheme: str, root: str) -> None:
        self._files = files
        self._scheme = scheme
        self._prefix = f"{scheme}://" if scheme in (*_FROM_BUCKETS, "memory") else f"{root}/"

    async def page(self, folder: str, mark: Any = None) -> tuple[list[Listed], Any]:
        """Return the files in one folder; the mark holds the folders that are still to be looked into."""
        waiting = list(mark) if mark is not None else [folder]
        here = waiting.pop()
        entries = await self._call("ls", self._path(here), detail=True)
        listed = sorted((self._listed(each) for each in entries), key=lambda each: each.uri)
        waiting += [each.uri for each in reversed(listed) if each.is_folder and each.uri != here]
        files = [each for each in listed if not each.is_folder]
        return files, tuple(waiting) or None

    async def is_folder(self, uri: str) -> bool:
        """Whether a folder lies there, not an object."""
        return self._listed(await self._call("info", self._path(uri)), uri).is_folder

    async def look(self, uri: str) -> Listed:
        """Return the facts of one object."""
        found = self._listed(await self._call("info", self._path(uri)), uri)
        if found.is_folder:
            raise FileNotFoundError(uri)
        return found

    async def fetch(self, uri: str, most_bytes: int, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of an object, or a stretch of them."""
        size = (await self.look(uri)).size
        wanted = length if length is not None else size
        if wanted is not None and wanted > most_bytes:
            raise TooLargeError(most_bytes)
        end = start + (most_bytes + 1 if wanted is None else wanted)
        content: bytes = (
            b"" if end == start else await self._call("cat_file", self._path(uri), start=start, end=end)
        )
        if len(content) > most_bytes:
            raise TooLargeError(most_bytes)
        if wanted is not None and len(content) != wanted:
            raise CutShortError
        return content

    async def _call(self, name: str, *given: Any, **how: Any) -> Any:
        asynchronous = getattr(self._files, f"_{name}", None) if self._files.async_impl else None
        if asynchronous is not None:
            return await asynchronous(*given, **how)
        return await asyncio.wrap_future(aside(lambda: getattr(self._files, name)(*given, **how)))

    def _path(self, uri: str) -> str:
        rest = uri[len(self._prefix) :]
        return rest if self._scheme in _FROM_BUCKETS else f"/{rest.lstrip('/')}"

    def _listed(self, facts: dict[str, Any], uri: str | None = None) -> Listed:
        path = str(facts["name"])
        size = facts.get("size")
        if uri is None:
            uri = self._prefix + path.lstrip("/")
        stamp = stamp_from(size, *tag_and_time(facts))
        return Listed(uri, size, stamp, facts.get("type") == "directory")


def aside(call: Callable[[], _T]) -> Future[_T]:
    """Run a call in a thread that nobody waits for at the end, should it never return."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="remote").start()
    return future
