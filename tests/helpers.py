"""What the tests of the store and of reading share: a decoder that counts, and looking into collections."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import Collection
from lookalike.decode.requests import PhotoRequest
from lookalike.decode.worker import Refused, read_photos
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import CollectionError, LookalikeError, StorageError
from lookalike.records import GREY_SIDE, Committed, FileStamp, Photo, Skipped
from lookalike.reports import AddReport


class CountingDecoder:
    """Decodes in this process, one file at a time, and notes which files were read and which decoded."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.decoded: list[str] = []

    def photos(self, requests: Iterable[PhotoRequest]) -> Iterator[Photo | Skipped]:
        for request in requests:
            self.read.append(Path(request.path).name)
            (answer,) = read_photos((request,))
            if isinstance(answer, Refused):
                yield Skipped(request.uri, answer.reason, request.stamp, answer.lasting)
                continue
            pixels = grey = None
            if answer.pixels is not None:
                self.decoded.append(Path(request.path).name)
                side = request.view.size
                blob = np.frombuffer(answer.pixels, np.uint8)
                pixels = blob[: side * side * 3].reshape(side, side, 3)
                grey = blob[side * side * 3 :].reshape(GREY_SIDE, GREY_SIDE)
            stamp = FileStamp(answer.size, answer.mtime_ns)
            if (request.content is not None or request.is_copy) and request.stamp is not None:
                stamp = request.stamp
            facts = {**request.facts, **answer.metadata}
            yield Photo(request.uri, stamp, answer.content_hash, pixels, facts, grey)

    def close(self) -> None:
        self.read.clear()
        self.decoded.clear()


class CountingEmbedder(FakeEmbedder):
    """A fake that notes how many photos it has embedded."""

    def __init__(self, dim: int = 32) -> None:
        super().__init__(dim)
        self.embedded = 0

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        self.embedded += len(pixels)
        return super().embed(pixels)


class Watched:
    """A collection whose reading and embedding is counted, one `add` at a time."""

    def __init__(self, folder: Path) -> None:
        self.decoder = CountingDecoder()
        self.embedder = CountingEmbedder()
        self.collection = Collection(folder, embedder=self.embedder, decoder=self.decoder)
        self.outcomes: dict[str, str] = {}
        self.committed: list[Committed] = []

    def add(self, *paths: Path, **options: object) -> AddReport:
        """Add; check that every file told of is counted, and keep who was told what in `outcomes`."""
        self.decoder.close()
        self.embedder.embedded = 0
        self.committed = []
        own = options.pop("on_commit", lambda _: None)

        def note(each: Committed) -> None:
            self.committed.append(each)
            own(each)

        report = self.collection.add(*paths, on_commit=note, **options)
        self.outcomes = {Path(each.uri).name: each.outcome for each in self.committed}
        told = Counter(each.outcome for each in self.committed)
        assert len({each.uri for each in self.committed}) == len(self.committed)
        for outcome in ("added", "moved", "updated"):
            assert told[outcome] == getattr(report, outcome)
        for outcome in ("unchanged", "skipped"):  # those that were not read are not told one by one
            assert told[outcome] <= getattr(report, outcome)
        return report

    def ids(self) -> dict[str, int]:
        """Ids by file name."""
        return {Path(uri).name: item_id for item_id, uri in rows_of(self.collection)}

    def vector(self, name: str) -> bytes:
        """The stored bytes of the vector of a file name."""
        return vectors_of(self.collection)[self.ids()[name]]

    def skipped(self) -> dict[str, str]:
        """Reasons by file name."""
        return {Path(each.uri).name: each.reason for each in self.collection.skipped()}


def numbers(report: AddReport) -> dict[str, int]:
    """The counts of a report that are not zero; `found` is checked to be their sum."""
    outcomes = ("added", "unchanged", "moved", "updated", "skipped")
    assert report.found == sum(getattr(report, name) for name in outcomes)
    return {name: n for name in (*outcomes, "vanished", "pruned") if (n := getattr(report, name))}


def rows_of(collection: Collection) -> list[tuple[int, str]]:
    """Id and uri of every item, read beside the collection's own code."""
    return select(collection.path, "SELECT id, uri FROM items ORDER BY id")


def vectors_of(collection: Collection) -> dict[int, bytes]:
    """The stored bytes of every vector, by item id."""
    return dict(select(collection.path, "SELECT item_id, vector FROM vectors_1"))


def select(folder: Path, sql: str) -> list[tuple]:
    """What a plain SQLite connection sees."""
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        return connection.execute(sql).fetchall()


def execute(folder: Path, *statements: str) -> None:
    """Change a store behind the back of its code, and leave no log beside it."""
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        for sql in statements:
            connection.execute(sql)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def flip(path: Path, at: int, mask: int = 1) -> None:
    """Flip bits of one byte of a file that nobody has open."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ mask]))


def fingerprint(folder: Path) -> dict[str, str]:
    """The sha256 of every file below a folder, by relative name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def answers(collection: Collection, ids: Iterable[int], k: int = 5) -> list[tuple]:
    """What searching by each of the items answers, in comparable form."""
    results = collection.search_many(list(ids), k, rerank=False)
    return [
        tuple((hit.id, hit.uri, hit.score, *sorted(hit.metadata.items())) for hit in each) for each in results
    ]


def outcome_of_damage(collection: Collection, ask: Callable[[], str | None]) -> str:
    """What became of a damaged collection; only what nobody is told of is "silent".

    `ask` searches it and says what came of that, or None where the answers are not the expected ones.
    """
    try:
        if said := ask():
            return said
    except StorageError:
        return "called a failing disk"
    except CollectionError:
        return "damage named"
    except LookalikeError:
        pass  # such as an empty collection, which must not be true
    try:
        return "silent" if collection.verify().sound else "verify names it"
    except CollectionError:
        return "damage named"


@contextmanager
def ended_after(pages: int, target: Collection) -> Iterator[None]:
    """Have a copy into a collection end by force after so many pages."""
    store = target._opened.store(create=True)
    put, left = store.put_copied, [pages]

    def put_copied(items: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return put(items)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "put_copied", put_copied)
        yield


def few_labelled(shared_data: Path, folder: Path, sets: Iterable[str]) -> None:
    """Copy a few kinds of each set and a few photos of each kind to a folder, and some photos of COCO."""
    for name in sets:
        for kind in sorted((shared_data / name).iterdir())[:4]:
            (folder / name / kind.name).mkdir(parents=True)
            for photo in sorted(kind.iterdir())[:6]:
                shutil.copy(photo, folder / name / kind.name)
    (folder / "coco256" / "images").mkdir(parents=True)
    for photo in sorted((shared_data / "coco256" / "images").iterdir())[:8]:
        shutil.copy(photo, folder / "coco256" / "images")
