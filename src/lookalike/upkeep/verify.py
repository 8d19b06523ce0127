"""Checks every byte that can be checked, and names what is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lookalike.errors import BusyError, DamagedError
from lookalike.index.file import load_index
from lookalike.records import Space
from lookalike.store import Store
from lookalike.store.books import damaged_books
from lookalike.store.rows import ITEM_COLUMNS, has_direction, item_is_sound, vector_is_sound
from lookalike.store.text_rows import file_of

_PAGE = 1000
NO_DIRECTION = "the model gave it no direction: it is not finite, or of length 0"
_MOST_FINDINGS = 100  # of SQLite's own check; rows are all named


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as it was written: `what` names it, `detail` says what is wrong with it.

    `uri` is the file that can restore it, where one is known.
    """

    what: str
    detail: str
    item_id: int | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found: `items` and `vectors` count what was looked at, `repaired` what was put right.

    `files` are those of items that are gone or are not what was read, where they were looked at.
    """

    items: int
    vectors: int
    damage: tuple[Damage, ...]
    repaired: tuple[Damage, ...] = ()
    files: tuple[Damage, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing of the collection itself is damaged now."""
        return not self.damage


def verify(store: Store, index_folder: Path) -> VerifyReport:
    """Check the file's structure, every item, text and vector, and every index file."""
    damage = list(_check_file(store))
    items, vectors = 0, 0
    if not damage:
        damage += _check_books(store)
    if not damage:  # rows of a broken file cannot be told apart
        items = store.items.count()
        damage += _check_items(store)
        for space in store.spaces():
            vectors += store.vectors(space).count()
            damage += _check_vectors(store, space)
        damage += _check_texts(store)
        damage += _check_given(store)
    damage += _check_indexes(index_folder)
    if any(space.kind == "text" for space in (store.spaces() if items else ())):
        damage = [replace(each, uri=each.uri and file_of(each.uri)) for each in damage]
    return VerifyReport(items, vectors, tuple(damage))


def _check_file(store: Store) -> Iterator[Damage]:
    try:
        with suppress(BusyError):  # another process writes, so that it can be written to
            store.database.check_takes_writes()
        if not store.database.lists_its_tables():
            yield Damage("store.sqlite", "its list of tables is not what was written")
        rows = store.database.fetch(f"PRAGMA integrity_check({_MOST_FINDINGS})")
    except DamagedError as error:
        rows = [(str(error.__cause__ or error),)]
    for (finding,) in rows:
        if finding != "ok":
            yield Damage("store.sqlite", finding.replace("\n", "; "))


def _check_books(store: Store) -> Iterator[Damage]:
    """Check what the store notes of itself."""
    problems = list(damaged_books(store.database))
    yield from (Damage(what, detail) for what, detail in problems)
    if problems:
        return
    spaces = store.spaces()
    if spaces and sum(space.is_default for space in spaces) != 1:
        yield Damage("store.sqlite", "it does not say which space is the default")
    with store.database.reading() as connection:
        sql = "SELECT count(*) FROM removals WHERE item_id IN (SELECT id FROM items)"
        (revived,) = connection.execute(sql).fetchone()
    if revived:
        yield Damage("store.sqlite", f"{revived} items are noted as removed but are there")


def _check_items(store: Store) -> Iterator[Damage]:
    for row in _rows(store, f"SELECT {ITEM_COLUMNS} FROM items", "id"):
        if not item_is_sound(row):
            yield Damage(f"item {row[0]}", "its row is not what was written", row[0], _text(row[1]))


def _check_vectors(store: Store, space: Space) -> Iterator[Damage]:
    table = f"vectors_{space.id}"
    sql = f"SELECT item_id, {table}.checksum, vector, uri FROM {table} LEFT JOIN items ON id = item_id"
    for item_id, checksum, vector, uri in _rows(store, sql, "item_id"):
        name = f"vector of item {item_id} in {space.name}"
        if uri is None:
            yield Damage(name, "there is no such item", item_id)
        elif not vector_is_sound(space, item_id, checksum, vector):
            yield Damage(name, "its bytes are not what was written", item_id, _text(uri))
        elif not has_direction(vector):
            yield Damage(name, NO_DIRECTION, item_id, _text(uri))
    if not space.is_default:  # what is missing there is filled in by the next add
        return
    missing = f"SELECT id, uri FROM items WHERE id NOT IN (SELECT item_id FROM {table})"
    with store.database.reading() as connection:
        for item_id, uri in connection.execute(missing).fetchall():
            yield Damage(f"vector of item {item_id} in {space.name}", "it is missing", item_id, _text(uri))


def _check_texts(store: Store) -> Iterator[Damage]:
    for what, detail, item_id, uri in store.texts.damage():
        yield Damage(what, detail, item_id, _text(uri))


def _check_given(store: Store) -> Iterator[Damage]:
    """Check what people gave."""
    given = {
        "vote": store.votes.damaged(),
        "credit": store.credits.damaged(),
        "decision": store.decisions.damaged(),
    }
    for name, numbers in given.items():
        for number in numbers:
            yield Damage(f"{name} {number}", "its row is not what was written; a repair drops it")


def _check_indexes(folder: Path) -> Iterator[Damage]:
    for path in sorted(folder.glob("*.ivf")):
        try:
            load_index(path)
        except FileNotFoundError:  # another process has removed it meanwhile
            continue
        except DamagedError as error:
            yield Damage(f"index/{path.name}", str(error))


def _rows(store: Store, sql: str, key: str) -> Iterator[tuple]:  # type: ignore[type-arg]  # as sqlite3 gives them
    """Yield all rows of a select by ascending key, which comes first, in short transactions."""
    last = -1
    paged = f"{sql} WHERE {key} > ? ORDER BY {key} LIMIT {_PAGE}"
    while True:
        with store.database.reading() as connection:
            page = connection.execute(paged, (last,)).fetchall()
        if not page:
            return
        store.database.check_order([row[0] for row in page], last)
        yield from page
        last = page[-1][0]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
