"""The engine of many machines: a collection in Milvus; see `engine.protocol.Engine`."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lookalike.engine.milvus.address import MilvusAddress
from lookalike.engine.milvus.books import Books, Entry
from lookalike.engine.milvus.client import MilvusConnection
from lookalike.engine.milvus.decisions import MilvusDecisions
from lookalike.engine.milvus.items import CHANCES, MilvusItems
from lookalike.engine.milvus.layout import books_name, search_params, vectors_name
from lookalike.engine.milvus.recall import (
    FEW,
    MEASURED_BY,
    MEASURED_K,
    Recalls,
    share_found,
    wait_for_index,
)
from lookalike.engine.milvus.selection import MilvusSelection, expressions_of
from lookalike.engine.milvus.spaces import MilvusSpaces
from lookalike.engine.milvus.vectors import MilvusVectors
from lookalike.engine.milvus.votes import MilvusCredits, MilvusVotes, Moments
from lookalike.engine.milvus.words import forget_places, having_words
from lookalike.engine.protocol import Candidates, IndexFacts, Selection
from lookalike.errors import NotFoundError
from lookalike.index.exact import TopK
from lookalike.records import Ids, Space, Vectors
from lookalike.store.filters import Filter

_SCORE_ALL_UP_TO = 100  # so few selected items are all candidates, without the index
_MOST_HITS = 16_384  # that Milvus returns for a query
_KNOWN_SECONDS = 1.0  # for which the clock and the spaces are remembered
_SCANNED_UP_TO = 20_000  # vectors that are read to this machine to be looked at one and all
_WINDOWS = 20  # parts, none of more than 7 % of the rows
_NO_IDS = np.empty(0, np.int64)


@dataclass(slots=True)
class _Remembered:
    """What was read a moment ago."""

    spaces: list[Space] = field(default_factory=list)
    spaces_at: float = -1e9
    seq: int = 0
    seq_at: float = -1e9
    counts: dict[str, tuple[float, int]] = field(default_factory=dict)
    index: dict[int, str] = field(default_factory=dict)


class MilvusEngine:
    """The collection at an address of Milvus.

    Raises `NotFoundError` where there is none and `create` does not say that there may be none yet,
    `NotACollectionError` where another program's has its name, and what `MilvusConnection` raises.
    """

    def __init__(self, address: MilvusAddress, *, create: bool = False) -> None:
        self.address = address
        self.connection = MilvusConnection(address)
        self.books = Books(self.connection)
        self.moments = Moments()
        self.recalls = Recalls(self.books)
        self.space_book = MilvusSpaces(self.books)
        self.votes = MilvusVotes(self.books, lambda: self.items, self.moments)
        self.credits = MilvusCredits(self.books, self.moments)
        self.decisions = MilvusDecisions(self.books, self.moments)
        self._known = _Remembered()
        self._items: dict[str, MilvusItems] = {}
        self._lock = threading.RLock()
        if create:
            self.space_book.make_books()
        elif not self.space_book.exist():
            raise NotFoundError(
                f"no collection at {address}; make one with: lookalike add FOLDER -c {address}"
            )
        else:
            self.space_book.finish()

    @property
    def items(self) -> MilvusItems:
        """The items; raises `NotFoundError` while nothing was added."""
        default = next((space for space in self.spaces() if space.is_default), None)
        if default is None:
            raise NotFoundError(f"{self.address} is empty; bring photos in with: lookalike add FOLDER")
        name = vectors_name(self.address.name, default.id)
        with self._lock:
            if name not in self._items:
                self._items[name] = MilvusItems(
                    self.books, name, default.kind, self._other_names, self._before_removal, self.tick
                )
            return self._items[name]

    def spaces(self) -> list[Space]:
        """Return the spaces, the oldest first."""
        with self._lock:
            if time.monotonic() - self._known.spaces_at > _KNOWN_SECONDS:
                self._known.spaces = self.space_book.all()
                self._known.spaces_at = time.monotonic()
            return list(self._known.spaces)

    def forget(self) -> None:
        """Read anew what was remembered."""
        with self._lock:
            self._known = _Remembered()

    def vectors(self, space: Space) -> MilvusVectors:
        """Return the vectors of a space."""
        name = vectors_name(self.address.name, space.id)
        return MilvusVectors(self.books, name, space, self.seq, lambda: self.items.name)

    def seq(self) -> int:
        """Return the clock of the collection; what others change is seen within a second."""
        with self._lock:
            if time.monotonic() - self._known.seq_at > _KNOWN_SECONDS:
                clock = self.books.get("clock", ["clock"])
                self._known.seq = clock[0].seq if clock else 0
                self._known.seq_at = time.monotonic()
            return self._known.seq

    def tick(self) -> None:
        """Say that items or vectors have changed."""
        with self._lock:
            self._known.seq, self._known.seq_at = self.moments(), time.monotonic()
            self._known.counts = {}
            self.books.put([Entry("clock", "clock", {}, seq=self._known.seq)])

    def select(self, filters: Sequence[Filter]) -> MilvusSelection | None:
        """Return the items that meet all conditions; None, for all, where there are no conditions."""
        if not filters:
            return None
        items = self.items
        conditions = items.conditions(filters)
        if conditions.is_exact:
            size = self.connection.count(items.name, conditions.expression)
            if not size:
                items.check_columns(filters)
            return MilvusSelection(items, conditions, size)
        ids = items.matching(filters)
        return MilvusSelection(items, conditions, len(ids), ids)

    def nearest(
        self,
        space: Space,
        rows: Vectors,
        k: int,
        among: Selection | None = None,
        *,
        reach: int = 0,
        exact: bool = False,
    ) -> Candidates:
        """Return candidates for the `k` nearest of each query `(n, dim)`; see `Engine.nearest`."""
        assert among is None or isinstance(among, MilvusSelection)  # `select` made it
        vectors = self.vectors(space)
        total = self._count(vectors) if among is None else len(among)
        found, recall = self._candidates(vectors, rows, max(k, reach), among, total, exact=exact)
        return Candidates(found, recall, total, missing=self._count_missing(vectors.name, total))

    def _candidates(  # as those of `nearest`
        self,
        vectors: MilvusVectors,
        rows: Vectors,
        k: int,
        among: MilvusSelection | None,
        total: int,
        *,
        exact: bool,
    ) -> tuple[list[Ids], float | None]:
        """Return the candidates of each query, and the share of the true ones that is expected among them."""
        if not len(rows) or not total:
            return [_NO_IDS] * len(rows), 1.0
        if among is not None and total <= _SCORE_ALL_UP_TO:
            return [among.all_ids()] * len(rows), 1.0
        if exact or k > _MOST_HITS:
            return self._scanned(vectors, rows, k, among), 1.0
        params = self._params(vectors.space, k)
        found: list[list[int]] = [[] for _ in rows]
        for expression in expressions_of(among):
            hits = self.connection.search(
                vectors.name, rows, k, expression=expression, fields=[], params=params
            )
            for ids, some in zip(found, hits, strict=True):
                ids += [hit["id"] for hit in some]
        return [np.array(each, np.int64) for each in found], self.recall(vectors.space)

    def _count_missing(self, name: str, total: int) -> int:
        """Return how many items an answer just made may lack, as after a node has come back."""
        share = self.connection.share_served(name, answered=True)
        return 0 if share == 1 else max(1, round(total * (1 - share) / max(share, 1e-3)))

    def _count(self, vectors: MilvusVectors) -> int:
        """Return how many vectors there are, or were a second ago."""
        with self._lock:
            at, count = self._known.counts.get(vectors.name, (-1e9, 0))
            if time.monotonic() - at > _KNOWN_SECONDS:
                count = vectors.count()
                self._known.counts[vectors.name] = (time.monotonic(), count)
            return count

    def recall(self, space: Space) -> float | None:
        """Return the share of the true 10 nearest that the index finds, or None where that was not measured.

        So few vectors that none was sealed and indexed yet are searched one and all.
        """
        recall = self.recalls.of(space)
        return 1.0 if recall is None and self._count(self.vectors(space)) <= FEW else recall

    def index_kind(self, space: Space) -> str:
        """Return the kind of index that the engine has for a space."""
        with self._lock:
            if space.id not in self._known.index:
                name = vectors_name(self.address.name, space.id)
                self._known.index[space.id] = str(
                    self.connection.index_of(name, "vector").get("index_type", "")
                )
            return self._known.index[space.id]

    def having_words(self, words: str, limit: int, among: Selection | None = None) -> list[int]:
        """Return the ids of up to `limit` texts that have exact words, the best match first."""
        assert among is None or isinstance(among, MilvusSelection)
        allowed = None if among is None else among.all_ids()
        return having_words(self.connection, self.items.name, words, limit, allowed)

    def check(self) -> None:
        """Raise what hinders the engine from answering, within seconds."""
        self.connection.check(books_name(self.address.name), 'key == ""', "key")
        for space in self.spaces():
            if space.is_default:
                self.connection.check(vectors_name(self.address.name, space.id), "id == 0", "id")

    def index_facts(self, space: Space) -> IndexFacts:
        """Return how a space is searched: the index's kind, and its recall where it was measured."""
        return IndexFacts(self.index_kind(space), self.recalls.of(space), 0)

    def refresh_indexes(self) -> None:
        """Have what was written sealed and indexed, and measure the recall where much has changed."""
        for space in self.spaces():
            self._measure_where_due(space)

    def drop_space(self, space: Space) -> None:
        """Forget a space with its vectors; the items stay."""
        self.space_book.drop(space)
        self.forget()

    def store_bytes(self) -> int:
        """How many bytes the items and vectors take on this machine: none."""
        return 0

    @property
    def is_building(self) -> bool:
        """Whether an index is being built in the background; Milvus answers all the same."""
        return False

    def wait(self) -> list[BaseException]:
        """Return at once: nothing is built on this machine."""
        return []

    def close(self) -> None:
        """Let go of the server."""
        self.connection.close()

    def _measure_where_due(self, space: Space) -> None:
        """Hold what the index finds for some items against what is true, unless little has changed since."""
        vectors = self.vectors(space)
        count = vectors.count()
        if not self.recalls.is_due(space, count):
            return
        self.connection.flush(vectors.name)
        wait_for_index(self.connection, vectors.name)
        rows = vectors.fetch(self.items.random((), MEASURED_BY)).rows
        if len(rows):
            true = self._scanned(vectors, rows, MEASURED_K, None)
            params = self._params(space, MEASURED_K)
            hits = self.connection.search(
                vectors.name, rows, MEASURED_K, expression="", fields=[], params=params
            )
            found = [{hit["id"] for hit in some} for some in hits]
            self.recalls.note(space, share_found(found, [set(each.tolist()) for each in true]), count)

    def note_recall(self, space: Space, recall: float, count: int) -> None:
        """Keep the measured recall of a space of so many vectors."""
        self.recalls.note(space, recall, count)

    def _params(self, space: Space, k: int) -> dict[str, int]:
        return search_params(self.index_kind(space), k)

    def _scanned(
        self, vectors: MilvusVectors, rows: Vectors, k: int, among: MilvusSelection | None
    ) -> list[Ids]:
        """Return the nearest by looking at every vector."""
        if (vectors.count() if among is None else len(among)) > _SCANNED_UP_TO:
            return self._by_windows(vectors, rows, k, among)
        best = TopK(rows, k)
        for block in vectors.blocks() if among is None else vectors.blocks_of(among.all_ids()):
            best.see(block.ids, block.rows)
        return list(best.ranked()[0])

    def _by_windows(
        self, vectors: MilvusVectors, rows: Vectors, k: int, among: MilvusSelection | None
    ) -> list[Ids]:
        """Return the nearest of each of some parts drawn by chance, and so of all.

        Engines look at every vector where a condition keeps few, as each part does, instead of going by their
        index.
        """
        best: list[list[tuple[float, int]]] = [[] for _ in rows]
        kind = str(self.connection.index_of(vectors.name, "vector").get("index_type", ""))
        params = search_params(kind, k)
        for at in range(_WINDOWS):
            window = f"chance >= {at * CHANCES // _WINDOWS} and chance < {(at + 1) * CHANCES // _WINDOWS}"
            for condition in expressions_of(among):
                where = f"({window}) and ({condition})" if condition else window
                hits = self.connection.search(
                    vectors.name, rows, min(k, _MOST_HITS), expression=where, fields=[], params=params
                )
                for found, some in zip(best, hits, strict=True):
                    found += [(-hit["distance"], hit["id"]) for hit in some]
        return [np.array([item for _, item in sorted(found)[:k]], np.int64) for found in best]

    def _other_names(self) -> list[str]:
        """Return the Milvus collections of all spaces but the default one."""
        return [vectors_name(self.address.name, each.id) for each in self.spaces() if not each.is_default]

    def _before_removal(self, ids: list[int]) -> None:
        """Note that items are about to go; their texts stand nowhere any more."""
        if ids and any(space.kind == "text" for space in self.spaces()):
            forget_places(self.books, ids)
