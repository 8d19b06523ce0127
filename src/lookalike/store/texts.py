"""The texts of a collection: what is known, where it stands, and which have some exact words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from lookalike.errors import DamagedError
from lookalike.records import Ids, Space
from lookalike.store.clock import tick
from lookalike.store.database import Database
from lookalike.store.filters import in_file
from lookalike.store.places import (
    STRAY,
    count_only_in,
    mend_places,
    remove_file,
    remove_loose,
)
from lookalike.store.rows import ITEM_COLUMNS, item_is_sound, select, vector_is_sound
from lookalike.store.text_rows import (
    WORDS_TABLE,
    HoldsTexts,
    count_places,
    place_is_sound,
    read_texts,
    rebuild_words,
    text_is_sound,
)
from lookalike.store.words import query_terms

_PAGE = 1000


class Texts:
    """The texts of a collection; a collection of photos has none."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._holds_texts = HoldsTexts()

    def known(self, hashes: Sequence[bytes], space: Space) -> set[bytes]:
        """Return the sha256 of those texts that are stored, with a vector in the space, all sound."""
        item = ", ".join(f"items.{name}" for name in ITEM_COLUMNS.split(", "))
        table = f"vectors_{space.id}"
        sql = (
            f"SELECT {item}, text, texts.checksum, {table}.checksum, vector FROM items "
            f"JOIN texts ON texts.item_id = id JOIN {table} ON {table}.item_id = id WHERE content_hash IN"
        )
        with self._database.reading() as connection:
            return {
                row[2]
                for row in select(connection, sql, hashes)
                if item_is_sound(row[:7])
                and text_is_sound(row[0], row[7], row[8])
                and vector_is_sound(space, row[0], row[9], row[10])
            }

    def text_of(self, item_ids: Sequence[int]) -> dict[int, str]:
        """Return those texts that exist and are sound, by item id."""
        with self._database.reading() as connection:
            if not self._holds_texts(connection):
                return {}
            return read_texts(connection, item_ids)

    def places(self, item_id: int, limit: int = -1) -> list[str]:
        """Return up to `limit` uris at which a text stands, in the order of their files and rows."""
        with self._database.reading() as connection:
            if not self._holds_texts(connection):
                return []
            sql = "SELECT uri FROM places WHERE item_id = ? ORDER BY length(uri), uri LIMIT ?"
            return [row[0] for row in connection.execute(sql, (item_id, limit))]

    def count_places(self, item_ids: Sequence[int]) -> dict[int, int]:
        """Return at how many places each text stands."""
        with self._database.reading() as connection:
            if not self._holds_texts(connection):
                return {}
            return count_places(connection, item_ids)

    def match(self, words: str, limit: int, allowed: Ids | None = None) -> list[int]:
        """Return the ids of up to `limit` texts that have exact words, the best match (BM25) first.

        Texts with all of the words come before those with some. Case and accents do not matter. `allowed`
        are the only ids that may be returned.
        """
        terms = query_terms(words)
        if not terms or limit < 1:
            return []
        found = self._found(" AND ".join(terms), limit, allowed)
        if len(terms) > 1 and len(found) < limit:
            some = self._found(" OR ".join(terms), limit + len(found), allowed)
            known = set(found)
            found += [item_id for item_id in some if item_id not in known][: limit - len(found)]
        return found

    def _found(self, expression: str, limit: int, allowed: Ids | None) -> list[int]:
        try:
            return self._ranked(expression, limit, allowed)
        except DamagedError:  # it is a cache
            if self._database.read_only:
                raise
            self.rebuild_words()
            return self._ranked(expression, limit, allowed)

    def _ranked(self, expression: str, limit: int, allowed: Ids | None) -> list[int]:
        among, values = "", [expression]
        if allowed is not None:
            among = "AND rowid IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(allowed.tolist()))
        sql = (
            f"SELECT rowid FROM {WORDS_TABLE} WHERE {WORDS_TABLE} MATCH ? {among} "
            "ORDER BY rank, rowid LIMIT ?"
        )
        with self._database.reading() as connection:
            if not self._holds_texts(connection):
                return []
            return [row[0] for row in connection.execute(sql, (*values, limit))]

    def rebuild_words(self) -> None:
        """Make the index of exact words anew from the texts."""
        with self._database.writing() as connection:
            rebuild_words(connection)

    def remove_loose(self) -> int:
        """Remove the texts that are in their files no more; returns how many were not replaced there."""
        removed, last = 0, 0
        while True:
            with self._database.reading() as connection:
                if connection.execute("SELECT max(item_id) FROM loose").fetchone()[0] is None:
                    return removed
            with self._database.writing() as connection:
                count, last = remove_loose(connection, last, tick(connection))
            removed += count
            if not last:
                return removed

    def remove_files(self, files: Sequence[str], is_vanished: Callable[[str], bool]) -> int:
        """Forget the files of which `is_vanished` holds, and the texts that stood only there."""
        removed = 0
        for file in files:
            with self._database.writing() as connection:
                if is_vanished(file):
                    removed += remove_file(connection, file, tick(connection))
        return removed

    def forget_files(self, files: Sequence[str]) -> None:
        """Forget those of the files in which no text stands any more."""
        if not files:
            return
        with self._database.writing() as connection:
            for file in files:
                where, values = in_file(file)
                sql = f"SELECT EXISTS (SELECT 1 FROM places WHERE {where})"
                if not connection.execute(sql, values).fetchone()[0]:
                    connection.execute("DELETE FROM text_files WHERE uri = ?", (file,))

    def count_only_in(self, files: Sequence[str]) -> int:
        """How many texts stand in no other file than these."""
        with self._database.reading() as connection:
            return count_only_in(connection, files)

    def mend(self) -> None:
        """Put places and words in step with items and texts again, as far as nothing is lost."""
        with self._database.writing() as connection:
            if not self._holds_texts(connection):
                return
            mend_places(connection)
        if not self.words_are_sound():
            self.rebuild_words()

    def words_are_sound(self) -> bool:
        """Whether the index of exact words is in step with the texts; not told on a read-only medium."""
        if self._database.read_only:
            return True
        try:
            with self._database.writing() as connection:
                if self._holds_texts(connection):
                    sql = f"INSERT INTO {WORDS_TABLE} ({WORDS_TABLE}, rank) VALUES ('integrity-check', 1)"
                    connection.execute(sql)
        except DamagedError:
            return False
        return True

    def damage(self) -> Iterator[tuple[str, str, int | None, str | None]]:
        """Yield what of texts and places is not as it was written: its name, why, the item, a uri."""
        with self._database.reading() as connection:
            if not self._holds_texts(connection):
                return
        yield from self._damaged_texts()
        yield from self._damaged_places()
        if not self.words_are_sound():
            yield "exact words", "the words that are looked for are not those of the texts", None, None

    def _damaged_texts(self) -> Iterator[tuple[str, str, int | None, str | None]]:
        sql = (
            "SELECT id, uri, text, texts.checksum FROM items LEFT JOIN texts ON item_id = id "
            f"WHERE id > ? ORDER BY id LIMIT {_PAGE}"
        )
        last = -1
        while page := self._database.fetch(sql, (last,)):
            self._database.check_order([row[0] for row in page], last)
            for item_id, uri, text, checksum in page:
                if text is None:
                    yield f"text of item {item_id}", "it is missing", item_id, uri
                elif not text_is_sound(item_id, text, checksum):
                    yield f"text of item {item_id}", "it is not what was written", item_id, uri
            last = page[-1][0]
        for (item_id,) in self._database.fetch(
            "SELECT item_id FROM texts WHERE item_id NOT IN (SELECT id FROM items)"
        ):
            yield f"text of item {item_id}", "there is no such item", item_id, None

    def _damaged_places(self) -> Iterator[tuple[str, str, int | None, str | None]]:
        sql = f"SELECT uri, item_id, checksum FROM places WHERE uri > ? ORDER BY uri LIMIT {_PAGE}"
        last = ""
        while page := self._database.fetch(sql, (last,)):
            for row in page:
                if not place_is_sound(*row):
                    yield f"place {row[0]!r}", "its row is not what was written", None, row[0]
            if not isinstance(page[-1][0], str) or page[-1][0] <= last:
                break
            last = page[-1][0]
        for uri, item_id in self._database.fetch(
            "SELECT uri, item_id FROM places WHERE item_id NOT IN (SELECT id FROM items)"
        ):
            yield f"place {uri!r}", f"there is no item {item_id}", None, uri
        for item_id, uri in self._database.fetch(STRAY):
            yield f"item {item_id}", f"no text of it stands at {uri!r}", item_id, uri
