"""The sources of an embedding: folders and files, and addresses; listed, and read unit by unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from lookalike.cluster.plan import UnitFile, stamp_of
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.errors import NotFoundError
from lookalike.ingest.photos import begins_like_photo
from lookalike.records import FoundFile, Kind, Photo, Skipped, View
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.remote.addresses import is_address, normal
from lookalike.sources.remote.reading import Ahead, ObjectRequest, read_objects
from lookalike.sources.remote.walk import RemoteWalk
from lookalike.sources.sidecars import Sidecars
from lookalike.sources.uris import path_of
from lookalike.sources.walk import Walk

_AHEAD = Ahead(objects=32, most_bytes=64 << 20)  # of one actor


@dataclass(slots=True)
class Sources:
    """What the user names, walked once; afterwards `excluded` and `aside` tell what was not taken.

    `own` is the folder that is written to. Raises `NotFoundError` for a path that is not there, `UsageError`
    for an address with a password in it.
    """

    named: tuple[str, ...]
    wanted: Kind
    own: Path | None = None
    rules: Exclusions = field(default_factory=Exclusions)
    excluded: Counter[str] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)
    _paths: list[Path] = field(default_factory=list)
    _addresses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Part paths from addresses, and look whether they can be meant."""
        for each in self.named:
            if is_address(each):
                self._addresses.append(normal(each))
                continue
            self._paths.append(Path(each))
            if not self._paths[-1].exists():
                raise NotFoundError(f"no such file or folder: {each}")

    def files(self) -> Iterator[FoundFile]:
        """Yield every file and object with its stamp, or its problem."""
        walks: list[Walk | RemoteWalk] = []
        if self._paths:
            walks.append(Walk(self._paths, self.own, self.rules, self.wanted, begins_like_photo))
        if self._addresses:
            walks.append(RemoteWalk(self._addresses, self.rules, self.wanted))
        for walk in walks:
            yield from walk.files()
            self.excluded += walk.excluded
            self.aside += walk.aside


def read_photos(decoder: DecodePool, files: tuple[UnitFile, ...], view: View) -> Iterator[Photo | Skipped]:
    """Yield what each file holds: first why some cannot be read, then photos decoded ahead by the workers."""
    yield from (Skipped(file.uri, file.problem, lasting=False) for file in files if file.problem is not None)
    sound = [file for file in files if file.problem is None]
    sidecars = Sidecars()
    yield from decoder.photos(
        PhotoRequest(
            file.uri,
            path := path_of(file.uri),
            view,
            stamp=stamp_of(file),
            sidecars=sidecars.of(path),
        )
        for file in sound
        if not is_address(file.uri)
    )
    yield from _read_objects(decoder, [file for file in sound if is_address(file.uri)], view)


def _read_objects(decoder: DecodePool, files: list[UnitFile], view: View) -> Iterator[Photo | Skipped]:
    """Yield what objects hold, fetched ahead; their stamps are those of their listing."""
    refused: list[Skipped] = []

    def requests() -> Iterator[PhotoRequest]:
        wanted = (ObjectRequest(file.uri, stamp_of(file)) for file in files)
        for file, content in zip(files, read_objects(wanted, ahead=_AHEAD), strict=True):
            if isinstance(content, Skipped):
                refused.append(content)
            else:
                yield PhotoRequest(file.uri, file.uri, view, stamp=stamp_of(file), content=content)

    stamps = {file.uri: stamp_of(file) for file in files}
    for read in decoder.photos(requests()):
        yield replace(read, stamp=stamps[read.uri])
    yield from refused
