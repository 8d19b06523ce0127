"""What a scratch store needs of Milvus before a batch is written, and what Milvus gets of it afterwards."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from lookalike.engine.milvus.books import Entry
from lookalike.engine.milvus.conditions import one_of
from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.layout import ITEM_FIELDS, vectors_name
from lookalike.engine.milvus.rows import (
    ItemRow,
    decode,
    encode,
    is_sound,
    item_id_of,
    vector_is_sound,
    vector_of,
)
from lookalike.engine.milvus.scratch import NOT_READ, Changed, Scratch
from lookalike.engine.milvus.terms import terms_of
from lookalike.engine.milvus.text_places import TextPlaces
from lookalike.errors import BusyError
from lookalike.records import Committed, CopiedItem, Item, Photo, Space
from lookalike.store.commit import FilledVector
from lookalike.store.photo_commit import PhotoBatch
from lookalike.store.rows import encode_metadata

_MOST_RECENT = 3_000  # rows remembered until the engine is sure to show them
_MOST_OWN = 2_000_000  # ids of a run that began with an empty collection: some 200 MB
_NOT_EMPTY: set[int] = set()
_ATTEMPTS = 2  # ids of a uri that are looked at: the second is for one whose first item has moved away


class Pusher:
    """Loads and pushes rows for one writer.

    The engine shows what was written about 0.2 s later. Rather than to wait at each batch, what this writer
    has written is remembered, and laid over what is read; but for what comes first into an empty collection,
    for which it waits only where that may be among what is looked for.
    """

    def __init__(self, engine: MilvusEngine) -> None:
        self._engine = engine
        self._connection = engine.connection
        self._recent: dict[str, dict[int, dict[str, Any]]] = {}
        self._gone: set[int] = set()
        self._has_skips: bool | None = None
        self._own: set[int] | None = None
        self._unseen: Counter[str] = Counter()
        self._lock = threading.RLock()  # of what is remembered

    def known_of(self, default: Space, photos: Sequence[Photo]) -> list[dict[str, Any]] | None:
        """Return what may be the items of some photos: by uri, by content, by the ids they would get.

        None where they are sure to be the first of their ids, without a look.
        """
        if not photos:
            return []
        uris = {photo.uri for photo in photos}
        hashes = {photo.content_hash.hex() for photo in photos}
        ids = {item_id_of(uri, attempt) for uri in uris for attempt in range(_ATTEMPTS)}
        if self._are_first(ids):
            return None
        self._see_firsts()
        where = f"{one_of('id', ids)} or {one_of('uri', uris)} or {one_of('sha256', hashes)}"
        read = self._read(default, where, ITEM_FIELDS)
        found = {row["id"]: row for row in read if row["id"] not in self._gone}
        for row in self._recent_rows(default):
            if row["id"] in ids or row["uri"] in uris or row["sha256"] in hashes:
                found[row["id"]] = row
            else:
                found.pop(row["id"], None)
        return list(found.values())

    def _are_first(self, ids: set[int]) -> bool:
        """Whether nothing can be known of these ids: all there is comes from this run, and they do not."""
        with self._lock:
            if self._own is None:
                self._own = set() if self._engine.items.is_empty() else _NOT_EMPTY
            if self._own is _NOT_EMPTY or len(self._own) > _MOST_OWN:
                self._own = _NOT_EMPTY
                return False
            are_first = self._own.isdisjoint(ids)
            self._own |= ids
            return are_first

    def skips_of(self, uris: Sequence[str]) -> list[Entry]:
        """Return what is on record of some uris as skipped."""
        with self._lock:
            if self._has_skips is None:
                self._has_skips = self._engine.books.count("skipped") > 0
            return self._engine.books.by_uri("skipped", uris) if self._has_skips else []

    def push(self, scratch: Scratch, changed: Changed) -> None:
        """Put into Milvus what was changed: new items in the default space first, others there last."""
        items = {item_id: scratch.item(item_id) for item_id in sorted(changed.items)}
        gone = [item_id for item_id, row in items.items() if row is None]
        if gone and scratch.kind == "text":
            kept = TextPlaces(self._engine, scratch).put_back(gone, changed)
            items |= {item_id: scratch.item(item_id) for item_id in kept}
            gone = [item_id for item_id in gone if item_id not in kept]
        there = [row for row in items.values() if row is not None]
        terms = {row.id: terms_of(row.text) for row in there} if scratch.kind == "text" else {}
        # New items begin in the default space, so that no vector is without its item. Of others that comes
        # last: while its row tells of the former content, their file is read again.
        default_last = sorted(scratch.spaces, key=lambda each: each.is_default)
        for space in default_last:
            self._push_space(scratch, space, [row for row in there if row.id in scratch.held], terms)
        for space in reversed(default_last):
            self._push_space(scratch, space, [row for row in there if row.id not in scratch.held], terms)
        if gone:
            self._engine.items.remove(gone)
            self._gone.update(gone)
        self._push_books(scratch, changed)
        self._wait_where_due()

    def put_new(
        self, space: Space, batch: PhotoBatch, companion: Space | None, *, are_first: bool
    ) -> list[Committed]:
        """Put photos of which nothing is known, without the detour; returns what became of them.

        `are_first`: `known_of` gave None. They are not remembered: what asks for their like waits instead.
        """
        items = [(_new_item(photo), photo, vector) for photo, vector in batch.photos]
        write = self._write_first if are_first else self._write
        write(space, [encode(item, row, "photo") for item, _, row in items if row is not None])
        if companion is not None:
            paired = ((item, batch.paired.get(photo.uri)) for item, photo, _ in items)
            write(companion, [encode(item, row, "photo") for item, row in paired if row is not None])
        self._wait_where_due()
        return [Committed(photo.uri, "added", item.id) for item, photo, _ in items]

    def put_copied(self, items: Sequence[CopiedItem]) -> dict[int, str]:
        """Put items of another collection under the ids that they have, but those that are too long.

        Returns by id what of them is.
        """
        rows = {each.item.id: _copied_row(each.item) for each in items}
        refused = {item_id: problem for item_id, row in rows.items() if (problem := row.too_long())}
        items = [each for each in items if each.item.id not in refused]
        for space in sorted(self._engine.spaces(), key=lambda each: not each.is_default):
            there = [each for each in items if space.id in each.vectors]
            terms = {each.item.id: terms_of(each.item.text or "") for each in there}
            fresh = [
                encode(rows[each.item.id], each.vectors[space.id], space.kind, terms[each.item.id])
                for each in there
            ]
            self._connection.upsert(self._name(space), fresh)
        places = [(uri, each.item) for each in items if each.item.text is not None for uri in each.places]
        self._engine.books.put(
            Entry("places", uri, {"uri": uri, "item_id": item.id}, uri=uri, item=item.id)
            for uri, item in places
        )
        return refused

    def fill(self, space: Space, rows: Sequence[FilledVector]) -> int:
        """Give items without one their vector in a space; returns how many still wanted it."""
        default = next(each for each in self._engine.spaces() if each.is_default)
        wanted = {each.item_id: each for each in rows}
        self._see_firsts()
        held = self._newest(space, wanted, ["id"])
        found = self._newest(default, wanted, ITEM_FIELDS)
        fresh = [
            encode(decode(row), wanted[item_id].vector, space.kind, terms_of(row["text"]))
            for item_id, row in found.items()
            if item_id not in held and decode(row).content_hash == wanted[item_id].content_hash
        ]
        self._write(space, fresh)
        self._wait_where_due()
        return len(fresh)

    def forget(self) -> None:
        """Remember nothing: the next run reads what the engine shows."""
        self._recent, self._gone, self._has_skips, self._own = {}, set(), None, None
        self._unseen = Counter()

    def take_in(self, scratch: Scratch, rows: list[dict[str, Any]]) -> None:
        """Put rows into the scratch store with all their vectors."""
        ids = [row["id"] for row in rows]
        vectors: dict[int, dict[int, bytes]] = {item_id: {} for item_id in ids}
        for space in scratch.spaces if ids else ():
            for item_id, row in self._newest(space, ids, ["id", "checksum", "vector"]).items():
                vector = vector_of(row)
                if vector_is_sound(row, vector):
                    vectors[item_id][space.id] = np.ascontiguousarray(vector, "<f4").tobytes()
        for row in rows:
            scratch.put_item(decode(row), vectors[row["id"]], sound=is_sound(row, scratch.kind))

    def _push_space(
        self, scratch: Scratch, space: Space, there: list[ItemRow], terms: dict[int, list[str]]
    ) -> None:
        contents = {row.id: scratch.vector(space, row.id) for row in there}
        unread = [item_id for item_id, content in contents.items() if content == NOT_READ]
        stored = {row["id"]: vector_of(row) for row in self._rows_with_vectors(space, unread)}
        if lost := [row.uri for row in there if contents[row.id] == NOT_READ and row.id not in stored]:
            raise BusyError(f"{lost[0]} was removed meanwhile; run this again")
        rows, without = [], []
        for row in there:
            content = contents[row.id]
            if content is None:
                without.append(row.id)
            else:
                vector = stored[row.id] if content == NOT_READ else np.frombuffer(content, "<f4")
                rows.append(encode(row, vector, space.kind, terms.get(row.id, ())))
        self._write(space, rows)
        if without and not space.is_default:
            held = [row["id"] for row in self._read(space, one_of("id", without), ["id"])]
            held += [each for each in without if self._is_recent(space, each)]
            if held:
                self._connection.delete(self._name(space), one_of("id", set(held)))
            for each in held:
                self._recent.get(self._name(space), {}).pop(each, None)

    def _rows_with_vectors(self, space: Space, ids: list[int]) -> list[dict[str, Any]]:
        recent = self._recent.get(self._name(space), {})
        found = [recent[each] for each in ids if each in recent]
        rest = {each for each in ids if each not in recent}
        for strong in (False, True) if rest else ():
            where, fields = one_of("id", rest), ["id", "vector"]
            read = self._connection.query(self._name(space), where, fields, strong=strong, at_once=not strong)
            found += read
            rest -= {row["id"] for row in read}
            if not rest:
                break
        return found

    def _push_books(self, scratch: Scratch, changed: Changed) -> None:
        put: list[Entry] = []
        gone: list[Entry] = []
        for table, keys in changed.books.items():
            for key in keys:
                entry, is_there = scratch.entry(table, key)
                (put if is_there else gone).append(entry)
        self._engine.books.put(put)
        self._engine.books.delete(gone)
        if any(entry.book == "skipped" for entry in put):
            self._has_skips = True

    def _write(self, space: Space, rows: list[dict[str, Any]]) -> None:
        self._connection.upsert(self._name(space), rows)
        with self._lock:
            self._recent.setdefault(self._name(space), {}).update({row["id"]: row for row in rows})
            self._gone.difference_update(row["id"] for row in rows)

    def _write_first(self, space: Space, rows: list[dict[str, Any]]) -> None:
        self._connection.upsert(self._name(space), rows)
        with self._lock:
            self._unseen[self._name(space)] += 1

    def _see_firsts(self) -> None:
        """Wait until the engine shows what was written and is not remembered."""
        with self._lock:
            unseen = self._unseen.copy()
        for name in unseen:
            self._wait_until_shown(name)
        with self._lock:
            self._unseen -= unseen

    def _recent_rows(self, space: Space) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._recent.get(self._name(space), {}).values())

    def _is_recent(self, space: Space, item_id: int) -> bool:
        return item_id in self._recent.get(self._name(space), {})

    def _wait_where_due(self) -> None:
        """Forget what was remembered once the engine is sure to show it."""
        with self._lock:
            if sum(map(len, self._recent.values())) + len(self._gone) < _MOST_RECENT:
                return
            written = {name: dict(rows) for name, rows in self._recent.items()}
            gone = set(self._gone)
        for name in written:
            self._wait_until_shown(name)
        with self._lock:
            self._gone -= gone
            for name, rows in written.items():  # but what was written since
                kept = self._recent.get(name, {})
                self._recent[name] = {key: row for key, row in kept.items() if rows.get(key) is not row}

    def _wait_until_shown(self, name: str) -> None:
        self._connection.query(name, "id == 0", ["id"], strong=True)

    def _newest(self, space: Space, ids: Collection[int], fields: Iterable[str]) -> dict[int, dict[str, Any]]:
        """Return the rows of some ids, by id, with what was written a moment ago."""
        found = {row["id"]: row for row in self._read(space, one_of("id", ids), fields)}
        recent = self._recent.get(self._name(space), {})
        return found | {each: recent[each] for each in ids if each in recent}

    def _read(self, space: Space, where: str, fields: Iterable[str]) -> list[dict[str, Any]]:
        return self._connection.query(self._name(space), where, list(fields), at_once=True)

    def _name(self, space: Space) -> str:
        return vectors_name(self._engine.address.name, space.id)


def _copied_row(item: Item) -> ItemRow:
    metadata = encode_metadata(item.metadata)
    return ItemRow(item.id, item.uri, item.content_hash, item.stamp, metadata, item.text or "", item.places)


def _new_item(photo: Photo) -> ItemRow:
    metadata = encode_metadata(photo.metadata)
    return ItemRow(item_id_of(photo.uri), photo.uri, photo.content_hash, photo.stamp, metadata)
