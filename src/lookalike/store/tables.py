"""Which tables a store of each format has, and how their rows are read without any index or constraint."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache

from lookalike.store import schema

_WORDS = ("text_words", "text_words_source")
_MADE_BY_FTS5 = tuple(f"text_words_{each}" for each in ("data", "idx", "content", "docsize", "config"))
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True, slots=True)
class Table:
    """A table, index or view: its `kind` and `name`, the table that it is of, and the statement that made it.

    `plain` is a statement by which the same rows can be read, without what would need further indexes; other
    versions of SQLite and lookalike come to the same one. Of the cache of words, which is built anew from
    the texts, it is that of its making.
    """

    kind: str
    name: str
    owner: str
    statement: str
    plain: str

    @property
    def is_cache(self) -> bool:
        """Whether it can be built anew from others."""
        return self.name in _WORDS


def listed_formats(connection: sqlite3.Connection, *, only: bool = False) -> set[int]:
    """Return the formats whose tables are all there as they should be; with `only`, and no others."""
    listed = {(each.name, each.owner, each.plain) for each in _described(connection)}
    spaces = [int(name[8:]) for name, *_ in listed if re.fullmatch(r"vectors_\d{1,9}", name)]
    found = set()
    for number in range(1, schema.FORMAT + 1):
        wanted = [*tables_of(number), *(each for space in spaces for each in vectors_tables(space))]
        named = {(each.name, each.owner, each.plain) for each in wanted}
        if listed == named if only else listed >= named:
            found.add(number)
    return found


def tables_of(version: int) -> tuple[Table, ...]:
    """Return the tables, indexes and views of a format but the tables of vectors."""
    return _tables_of(schema.MIGRATIONS[:version])


@cache
def _tables_of(migrations: tuple[str, ...]) -> tuple[Table, ...]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.migrate(connection, len(migrations))
        return _described(connection)


@cache
def vectors_tables(space: int) -> tuple[Table, ...]:
    """Return the table of a space's vectors and its index."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.run_script(connection, schema.VECTORS_TABLE.format(table=f"vectors_{space}"))
        return _described(connection)


def lenient_text(raw: bytes) -> str:
    """Let damaged text pass as text that no checksum takes for sound, instead of failing a whole query."""
    return raw.decode(errors="surrogateescape")


def _described(connection: sqlite3.Connection) -> tuple[Table, ...]:
    made = ", ".join(f"'{name}'" for name in _MADE_BY_FTS5)
    sql = (
        f"SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT IN ({made}) "
        "AND name NOT LIKE 'sqlite~_stat%' ESCAPE '~' AND sql IS NOT NULL"
    )
    rows = connection.execute(sql).fetchall()
    try:
        "".join(cell for row in rows for cell in row).encode()
    except (TypeError, UnicodeEncodeError):  # a list in which something is no text: that of no format
        return ()
    return tuple(
        Table(kind, name, owner, statement, _plain(connection, kind, name, statement))
        for kind, name, owner, statement in rows
    )


def _plain(connection: sqlite3.Connection, kind: str, name: str, statement: str) -> str:
    if kind != "table" or name in _WORDS:
        return " ".join(_COMMENT.sub("", statement).split())
    has_row_ids = "WITHOUT ROWID" not in statement
    columns, keys = [], []
    for _, column, affinity, _, default, key in connection.execute(
        "SELECT * FROM pragma_table_info(?)", (name,)
    ):
        is_row_id = key and has_row_ids and affinity == "INTEGER"
        columns.append(
            f"{column} {affinity}"
            + (" PRIMARY KEY" if is_row_id else "")
            + (f" DEFAULT {default}" if default is not None else "")
        )
        keys += [column] if key else []
    if has_row_ids:
        return f"CREATE TABLE {name} ({', '.join(columns)})"
    return f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(keys)})) WITHOUT ROWID"
