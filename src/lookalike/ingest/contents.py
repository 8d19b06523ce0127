"""What lies at uris goes to the decoders: files by their paths, remote objects as bytes fetched ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.records import FileStamp, Photo, Skipped, View
from lookalike.sources.remote.addresses import is_address
from lookalike.sources.sidecars import Sidecars
from lookalike.sources.uris import container_of, path_of
from lookalike.store.scan import FileToRead


def decoded(
    decoder: DecodePool, files: Iterable[FileToRead], view: View, sidecars: Sidecars | None = None
) -> Iterator[Photo | Skipped]:
    """Yield what each file or object holds, in order, fetched and decoded ahead."""
    refused: deque[tuple[int, Skipped]] = deque()
    asked = 0

    def requests() -> Iterator[PhotoRequest]:
        nonlocal asked
        for each in _requests(files, view, sidecars):
            if isinstance(each, Skipped):
                refused.append((asked, each))
            else:
                asked += 1
                yield each

    for done, result in enumerate(decoder.photos(requests())):
        while refused and refused[0][0] <= done:
            yield refused.popleft()[1]
        yield result
    yield from (each for _, each in refused)


def _requests(
    files: Iterable[FileToRead], view: View, sidecars: Sidecars | None
) -> Iterator[PhotoRequest | Skipped]:
    for fetched, group in groupby(files, lambda file: is_fetched(file.uri)):
        if fetched:
            yield from _fetched(group, view)
        else:
            yield from (_of_file(file, view, sidecars) for file in group)


def is_fetched(uri: str) -> bool:
    """Whether what a uri names is no file of its own, so that its bytes must be fetched."""
    return is_address(uri) or container_of(uri) is not None


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
