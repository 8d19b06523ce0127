"""The engine of many machines: a collection in Milvus; see `engine.protocol.Engine`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from lookalike.engine.milvus.address import MilvusAddress
from lookalike.engine.milvus.books import Books, Entry
from lookalike.engine.milvus.client import LOAD_SECONDS, MilvusConnection
from lookalike.engine.milvus.conditions import one_of
from lookalike.engine.milvus.items import MilvusItems, pages_of
from lookalike.engine.milvus.layout import books_name, search_params, vectors_name
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
_MOST_NAMED = 50_000  # ids in one expression
_KNOWN_SECONDS = 1.0  # for which the clock and the spaces are remembered
_FEW_NEW = 1_000  # vectors after which an index need not be measured anew
_MEASURED_UP_TO = 300_000  # vectors; beyond, `evaluate index` does it when it is asked to
_MEASURED_BY, _MEASURED_K = 100, 10  # queries, hits
_NO_IDS = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class MilvusSelection:
    """The items that meet some conditions: by an expression, or where that says too little by their ids."""

    engine: MilvusEngine
    expression: str
    size: int
    ids: Ids | None = None

    def __len__(self) -> int:
        return self.size

    def count_among(self, item_ids: Iterable[int]) -> int:
        """How many of these items are selected."""
        wanted = [int(each) for each in item_ids]
        if self.ids is not None or not wanted:
            return int(np.isin(wanted, _NO_IDS if self.ids is None else self.ids).sum())
        items = self.engine.items
        return self.engine.connection.count(items.name, f"({self.expression}) and {one_of('id', wanted)}")

    def all_ids(self) -> Ids:
        """Return the ids of all of them."""
        if self.ids is not None:
            return self.ids
        connection, name = self.engine.connection, self.engine.items.name
        pages = pages_of(connection, name, self.expression, ["id"], _MOST_HITS)
        return np.array([row["id"] for page in pages for row in page], np.int64)


@dataclass(slots=True)
class _Remembered:
    """What was read a moment ago."""

    spaces: list[Space] = field(default_factory=list)
    spaces_at: float = -1e9
    seq: int = 0
    seq_at: float = -1e9
    counts: dict[str, tuple[float, int]] = field(default_factory=dict)
    recall: dict[int, float] = field(default_factory=dict)
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
        self.space_book = MilvusSpaces(self.books)
        self.votes = MilvusVotes(self.books, lambda: self.items, self.moments)
        self.credits = MilvusCredits(self.books, self.moments)
        self._known = _Remembered()
        self._items: dict[str, MilvusItems] = {}
        self._lock = threading.RLock()
        if create:
            self.space_book.make_books()
        elif not self.space_book.exist():
            raise NotFoundError(
                f"no collection at {address}; make one with: lookalike add FOLDER -c {address}"
            )

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
            return MilvusSelection(self, conditions.expression, size)
        ids = items.matching(filters)
        return MilvusSelection(self, "", len(ids), ids)

    def nearest(
        self,
        space: Space,
        rows: Vectors,
        k: int,
        among: Selection | None = None,
        *,
        exact: bool = False,
    ) -> Candidates:
        """Return candidates for the `k` nearest of each unit-length query `(n, dim)`."""
        assert among is None or isinstance(among, MilvusSelection)  # `select` made it
        vectors = self.vectors(space)
        total = self._count(vectors) if among is None else len(among)
        missing = self._count_missing(vectors.name, total)
        if not len(rows) or not total:
            return Candidates([_NO_IDS] * len(rows), 1.0, total, missing=missing)
        if among is not None and total <= _SCORE_ALL_UP_TO:
            return Candidates([among.all_ids()] * len(rows), 1.0, total, missing=missing)
        if exact or k > _MOST_HITS:
            return Candidates(self._scanned(vectors, rows, k, among), 1.0, total, missing=missing)
        params = self._params(space, k)
        found: list[list[int]] = [[] for _ in rows]
        for expression in _expressions(among):
            hits = self.connection.search(
                vectors.name, rows, k, expression=expression, fields=[], params=params
            )
            for ids, some in zip(found, hits, strict=True):
                ids += [hit["id"] for hit in some]
        candidates = [np.array(each, np.int64) for each in found]
        return Candidates(candidates, self.recall(space), total, missing=missing)

    def _count_missing(self, name: str, total: int) -> int:
        """Return how many items the engine does not serve just now, as after a node has come back."""
        share = self.connection.share_served(name)
        return 0 if share == 1 else max(1, round(total * (1 - share) / max(share, 1e-3)))

    def _count(self, vectors: MilvusVectors) -> int:
        """Return how many vectors there are, or were a second ago."""
        with self._lock:
            at, count = self._known.counts.get(vectors.name, (-1e9, 0))
            if time.monotonic() - at > _KNOWN_SECONDS:
                count = vectors.count()
                self._known.counts[vectors.name] = (time.monotonic(), count)
            return count

    def recall(self, space: Space) -> float:
        """Return the share of the true 10 nearest that the index finds, as it was measured."""
        with self._lock:
            if space.id not in self._known.recall:
                found = self.books.get("recall", [str(space.id)])
                self._known.recall[space.id] = float(found[0].data["recall"]) if found else 1.0
            return self._known.recall[space.id]

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
        self.connection.check(books_name(self.address.name))

    def index_facts(self, space: Space) -> IndexFacts:
        """Return how a space is searched: the index's kind, and its recall where it was measured."""
        found = self.books.get("recall", [str(space.id)])
        return IndexFacts(self.index_kind(space), float(found[0].data["recall"]) if found else None, 0)

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
        count, found = vectors.count(), self.books.get("recall", [str(space.id)])
        before = int(found[0].data["count"]) if found else 0
        if not count or abs(count - before) <= max(_FEW_NEW, count // 10):
            return
        self.connection.flush(vectors.name)
        self._wait_for_index(vectors.name)
        if count > _MEASURED_UP_TO:
            return
        ids = self.items.random((), _MEASURED_BY)
        rows = vectors.fetch(ids).rows
        if not len(rows):
            return
        true = self._scanned(vectors, rows, _MEASURED_K, None)
        hits = self.connection.search(
            vectors.name, rows, _MEASURED_K, expression="", fields=[], params=self._params(space, _MEASURED_K)
        )
        shares = [
            len({hit["id"] for hit in some} & set(right.tolist())) / len(right)
            for some, right in zip(hits, true, strict=True)
        ]
        self.note_recall(space, float(np.mean(shares)), count)

    def note_recall(self, space: Space, recall: float, count: int) -> None:
        """Keep the measured recall of a space of so many vectors."""
        self.books.put([Entry("recall", str(space.id), {"recall": recall, "count": count})])
        with self._lock:
            self._known.recall[space.id] = recall

    def _wait_for_index(self, name: str) -> None:
        """Return when all that is sealed is indexed, or after some minutes: it goes on by itself."""
        until = time.monotonic() + LOAD_SECONDS
        while time.monotonic() < until:
            if not int(self.connection.index_of(name, "vector").get("pending_index_rows", 0)):
                return
            time.sleep(0.5)

    def _params(self, space: Space, k: int) -> dict[str, int]:
        return search_params(self.index_kind(space), k)

    def _scanned(
        self, vectors: MilvusVectors, rows: Vectors, k: int, among: MilvusSelection | None
    ) -> list[Ids]:
        """Return the nearest by looking at every vector."""
        best = TopK(rows, k)
        for block in vectors.blocks() if among is None else vectors.blocks_of(among.all_ids()):
            best.see(block.ids, block.rows)
        return list(best.ranked()[0])

    def _other_names(self) -> list[str]:
        """Return the Milvus collections of all spaces but the default one."""
        return [vectors_name(self.address.name, each.id) for each in self.spaces() if not each.is_default]

    def _before_removal(self, ids: list[int]) -> None:
        """Note that items are about to go; their texts stand nowhere any more."""
        if ids and any(space.kind == "text" for space in self.spaces()):
            forget_places(self.books, ids)


def _expressions(among: MilvusSelection | None) -> list[str]:
    """Return the conditions of as many searches as it takes to name all that is selected."""
    if among is None:
        return [""]
    if among.ids is None:
        return [among.expression]
    parts = range(0, len(among.ids), _MOST_NAMED)
    return [one_of("id", among.ids[at : at + _MOST_NAMED].tolist()) for at in parts]
