"""One batch of texts to disk: items, texts, words, places and vectors together, or nothing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lookalike.records import Committed, FileStamp, Outcome, Passage, Skipped, Space
from lookalike.store.checksums import row_checksum
from lookalike.store.clock import tick
from lookalike.store.commit import Written, insert_item, put_skipped, put_vector
from lookalike.store.filters import in_file
from lookalike.store.items import fetch_items
from lookalike.store.places import drop_places, place_items, write_item
from lookalike.store.rows import ItemRow, encode_metadata, encode_vector, item_checksum, item_is_sound, select
from lookalike.store.text_rows import TEXT_FILE_CELLS, file_of, loose_uri, put_places, put_texts, restore_text


@dataclass(frozen=True, slots=True)
class TextFileRead:
    """A file of texts as it was read: `rows` is how many places came of it, None before it ended.

    `column` is where its texts are, as it was asked for; `manner` names reader and model, and what else was
    said of reading it.
    """

    uri: str
    stamp: FileStamp
    column: str | None
    manner: str
    rows: int | None = None


@dataclass(slots=True)
class TextBatch:
    """What one transaction writes. A text that is known comes with None for its vector.

    `files` are those that its passages are of; `stale` are places that are in their file no more.
    """

    passages: list[tuple[Passage, npt.NDArray[np.float32] | None]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    files: list[TextFileRead] = field(default_factory=list)


@dataclass(slots=True)
class _Row:
    """A passage on its way: which item it is, and the one that stood at its place until now."""

    passage: Passage
    vector: npt.NDArray[np.float32] | None
    before: int | None
    item_id: int = 0
    outcome: Outcome = "unchanged"

    @property
    def is_new_place(self) -> bool:
        return self.before != self.item_id


@dataclass(frozen=True, slots=True)
class TextWriter:
    """Writes batches of texts into one space.

    `is_gone(uri)` tells that a file does not exist any more, so that what stood in it may move. `reader` is
    what reads the files, to be kept with skipped ones. A batch is written in passes over all of its rows,
    because a line put in at the top of a file shifts the places of all that follow, and uris are unique.
    """

    connection: sqlite3.Connection
    space: Space
    reader: str
    is_gone: Callable[[str], bool]

    def write(self, batch: TextBatch) -> Written[Passage]:
        """Write a batch inside the caller's transaction; what it returns is true once that commits.

        Where passages are lost, the batch's files are not noted: they are to be written with them.
        """
        seq = tick(self.connection)
        drop_places(self.connection, batch.stale)  # first, so that a text found further on has moved
        rows, lost = self._sorted_out(batch.passages)
        self._clear_uris(rows)
        fresh = self._insert(rows, seq)
        self._mend(rows, fresh, seq)
        changed = [row for row in rows if row.is_new_place]
        put_places(self.connection, ((row.passage.uri, row.item_id) for row in changed))
        self._settle(changed, fresh)
        for file in () if lost else batch.files:
            self._note_file(file)
        skipped = [put_skipped(self.connection, each, self.reader) for each in batch.skipped]
        committed = [Committed(row.passage.uri, row.outcome, row.item_id) for row in rows]
        return Written([*committed, *skipped], lost)

    def _sorted_out(
        self, passages: Sequence[tuple[Passage, npt.NDArray[np.float32] | None]]
    ) -> tuple[list[_Row], list[Passage]]:
        """Match passages with places and items; `item_id` 0 stands for an item to be made."""
        uris = [passage.uri for passage, _ in passages]
        before = dict(select(self.connection, "SELECT uri, item_id FROM places WHERE uri IN", uris))
        known = self._known([passage.content_hash for passage, _ in passages])
        embedded = {passage.content_hash for passage, vector in passages if vector is not None}
        rows, lost = [], []
        for passage, vector in passages:
            item_id = known.get(passage.content_hash, 0)
            if not item_id and passage.content_hash not in embedded:
                lost.append(passage)
            else:
                rows.append(_Row(passage, vector, before.get(passage.uri), item_id))
        return rows, lost

    def _known(self, hashes: list[bytes]) -> dict[bytes, int]:
        """Return the first item of each content that has a text and a vector, or at least the item."""
        has_vector = f"EXISTS (SELECT 1 FROM vectors_{self.space.id} WHERE item_id = id)"
        sql = f"SELECT content_hash, id, {has_vector} FROM items WHERE content_hash IN"
        found = sorted(select(self.connection, sql, hashes), key=lambda row: (not row[2], row[1]))
        known: dict[bytes, int] = {}
        for content_hash, item_id, _ in found:
            known.setdefault(content_hash, item_id)
        return known

    def _clear_uris(self, rows: list[_Row]) -> None:
        """Take their uri from items that lose the place of that name, so that another may bear it."""
        lost = {(row.before, row.passage.uri) for row in rows if row.before is not None and row.is_new_place}
        for item in fetch_items(self.connection, {item_id for item_id, _ in lost}):
            if item[:2] in lost:
                write_item(self.connection, item, loose_uri(item[1], item[0]), item[5])

    def _insert(self, rows: list[_Row], seq: int) -> set[int]:
        """Make the items of new texts, each at the first of its places."""
        made: dict[bytes, int] = {}
        texts: list[tuple[int, str]] = []
        for row in rows:
            if row.item_id:
                continue
            passage = row.passage
            if passage.content_hash not in made:
                metadata = encode_metadata(passage.metadata)
                item_id = insert_item(
                    self.connection, passage.uri, passage.content_hash, passage.stamp, metadata
                )
                made[passage.content_hash] = item_id
                texts.append((item_id, passage.text))
                row.outcome = "added"
            row.item_id = made[passage.content_hash]
        put_texts(self.connection, texts)
        fresh = set(made.values())
        vectors = {row.item_id: row.vector for row in rows if row.item_id in fresh and row.vector is not None}
        for item_id, vector in vectors.items():
            put_vector(self.connection, self.space, item_id, seq, encode_vector(vector))
        return fresh

    def _mend(self, rows: list[_Row], fresh: set[int], seq: int) -> None:
        """Bring known items up to date: those that were embedded, being damaged, and facts that changed."""
        old = [row for row in rows if row.item_id not in fresh]
        stored = {each[0]: each for each in fetch_items(self.connection, {row.item_id for row in old})}
        restored: set[int] = set()
        for row in old:
            passage, item = row.passage, stored[row.item_id]
            if row.vector is not None and row.item_id not in restored:
                restored.add(row.item_id)
                restore_text(self.connection, row.item_id, passage.text)
                put_vector(self.connection, self.space, row.item_id, seq, encode_vector(row.vector))
                row.outcome = "updated"
            metadata = encode_metadata(passage.metadata)
            if not item_is_sound(item) or (item[1] == passage.uri and item[5] != metadata):
                stored[row.item_id] = self._rewrite(row, metadata)
                row.outcome = "updated"

    def _rewrite(self, row: _Row, metadata: str) -> ItemRow:
        """Write all that is known of an item anew, at a place of it."""
        passage, stamp = row.passage, row.passage.stamp
        checksum = item_checksum(row.item_id, passage.uri, passage.content_hash, stamp, metadata)
        self.connection.execute(
            "UPDATE items SET uri=?, size=?, mtime_ns=?, metadata=?, checksum=? WHERE id=?",
            (passage.uri, stamp.size, stamp.mtime_ns, metadata, checksum, row.item_id),
        )
        return (
            row.item_id,
            passage.uri,
            passage.content_hash,
            stamp.size,
            stamp.mtime_ns,
            metadata,
            checksum,
        )

    def _settle(self, changed: list[_Row], fresh: set[int]) -> None:
        """Give every item whose places changed the right uri, and say what became of each row."""
        old = [row.passage for row in changed if row.item_id not in fresh]
        metadata = {passage.uri: encode_metadata(passage.metadata) for passage in old}
        gained = {row.item_id for row in changed} - fresh
        self._leave_gone_files(gained, {file_of(row.passage.uri) for row in changed})
        lost = {row.before for row in changed if row.before is not None}
        loose = place_items(self.connection, gained | lost, metadata)
        replaced = {row.before for row in changed if row.item_id in fresh and row.before in loose}
        self.connection.executemany(
            "UPDATE loose SET replaced = 1 WHERE item_id = ?", ((each,) for each in replaced)
        )
        moved = self._moved(Counter(row.item_id for row in changed if row.item_id in gained))
        for row in changed:
            if row.outcome == "added" and row.before in replaced:
                row.outcome = "updated"
            elif row.outcome == "unchanged" and row.item_id in moved:
                moved.remove(row.item_id)  # further places are copies
                row.outcome = "moved"

    def _leave_gone_files(self, gained: set[int], own: set[str]) -> None:
        """Drop the places of known texts in files that are gone, as they were found elsewhere."""
        uris = select(self.connection, "SELECT id, uri FROM items WHERE id IN", list(gained))
        files = ((item_id, file_of(uri)) for item_id, uri in uris)
        gone = [item_id for item_id, file in files if file not in own and self.is_gone(file)]
        places = select(self.connection, "SELECT uri FROM places WHERE item_id IN", gone)
        left = [(uri,) for (uri,) in places if self.is_gone(file_of(uri))]
        self.connection.executemany("DELETE FROM places WHERE uri = ?", left)

    def _moved(self, gained: Counter[int]) -> set[int]:
        """Return those of the items that stand at no more places than they got in this batch."""
        sql = "SELECT item_id, count(*) FROM places WHERE item_id IN"
        totals = select(self.connection, sql, list(gained), " GROUP BY item_id")
        return {item_id for item_id, count in totals if count <= gained[item_id]}

    def _note_file(self, file: TextFileRead) -> None:
        cells = (file.uri, file.stamp.size, file.stamp.mtime_ns, file.column, file.manner, file.rows)
        self.connection.execute(
            f"INSERT INTO text_files ({TEXT_FILE_CELLS}, checksum) VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT (uri) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, "
            "column_name = excluded.column_name, manner = excluded.manner, rows = excluded.rows, "
            "checksum = excluded.checksum",
            (*cells, row_checksum("text_files", *cells)),
        )
        if file.rows is None:  # it begins
            where, values = in_file(file.uri)
            self.connection.execute(f"DELETE FROM skipped WHERE {where}", values)
