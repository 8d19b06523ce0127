"""What lies at uris goes to the decoders: files by their paths, remote objects as bytes fetched ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Literal

from lookalike.decode.formats import HEAD_BYTES, sniff
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.files import open_bytes
from lookalike.ingest.large import LargeContents
from lookalike.records import FileStamp, Photo, Skipped, View
from lookalike.sources.remote.addresses import is_address, is_container
from lookalike.sources.sidecars import Sidecars
from lookalike.sources.uris import is_fetched, path_of
from lookalike.store.scan import FileToRead
from lookalike.store.shards import ShardRead

Expand = Callable[[FileToRead, View], Iterator[PhotoRequest | Skipped | ShardRead]]
"""Yields what is in a shard or table; see `shards`."""


def decoded(
    decoder: DecodePool,
    files: Iterable[FileToRead],
    view: View,
    sidecars: Sidecars | None = None,
    expand: Expand | None = None,
) -> Iterator[Photo | Skipped | ShardRead]:
    """Yield what each file or object holds, in order, fetched and decoded ahead.

    With `expand`, shards and tables yield what is in them.
    """
    refused: deque[tuple[int, Skipped | ShardRead]] = deque()
    asked = 0

    with LargeContents() as large:

        def requests() -> Iterator[PhotoRequest]:
            nonlocal asked
            for each in _requests(files, view, sidecars, expand):
                if isinstance(each, PhotoRequest):
                    yield large.set_aside(each, asked)
                    asked += 1
                else:
                    refused.append((asked, each))

        for done, result in enumerate(decoder.photos(requests())):
            while refused and refused[0][0] <= done:
                yield refused.popleft()[1]
            large.drop(done)
            yield result
        yield from (each for _, each in refused)


def _requests(
    files: Iterable[FileToRead], view: View, sidecars: Sidecars | None, expand: Expand | None
) -> Iterator[PhotoRequest | Skipped | ShardRead]:
    for way, group in groupby(files, lambda file: _way_of(file.uri, expand is not None)):
        if way == "fetch":
            yield from _fetched(group, view)
        elif way == "expand" and expand is not None:
            for file in group:
                yield from expand(file, view)
        else:
            yield from (_of_file(file, view, sidecars) for file in group)


def _way_of(uri: str, expands: bool) -> Literal["open", "fetch", "expand"]:
    """Return how what a uri names is read: as a file, as bytes that are fetched, or as all that is in it."""
    is_far = is_address(uri)
    if expands and is_container(uri) and (is_far or not begins_like_photo(path_of(uri))):
        return "expand"
    return "fetch" if is_fetched(uri) else "open"


def begins_like_photo(path: str) -> bool:
    """Tell a photo with another kind's name; what cannot be opened is what its name says."""
    try:
        with open_bytes(path) as file:
            return sniff(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def _of_file(file: FileToRead, view: View, sidecars: Sidecars | None) -> PhotoRequest:
    path = path_of(file.uri)
    beside = sidecars.of(path) if sidecars is not None else ()
    return PhotoRequest(file.uri, path, view, file.known, file.stamp, sidecars=beside)


def _fetched(files: Iterable[FileToRead], view: View) -> Iterator[PhotoRequest | Skipped]:
    from lookalike.sources.remote.reading import ObjectRequest, read_objects  # loads much

    waiting: deque[FileToRead] = deque()

    def objects() -> Iterator[ObjectRequest]:
        for file in files:
            waiting.append(file)
            yield ObjectRequest(file.uri, file.stamp)

    for content in read_objects(objects()):
        file = waiting.popleft()
        if isinstance(content, Skipped):
            yield content
        else:
            stamp = FileStamp(len(content), file.stamp.mtime_ns)
            yield PhotoRequest(file.uri, file.uri, view, file.known, stamp, content)
