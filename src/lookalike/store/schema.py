"""The tables, as numbered migrations: a released one is never edited, only followed by another."""

from __future__ import annotations

import sqlite3

from lookalike.store.checksums import bound, row_checksum
from lookalike.store.spaces import seal_spaces
from lookalike.store.words import indexed

APPLICATION_ID = 0x6C6B616C  # "lkal", in the file's header

_V1 = """
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, so an index may lag behind
    uri TEXT NOT NULL UNIQUE,
    content_hash BLOB NOT NULL,            -- sha256 of the file
    size INTEGER NOT NULL,                 -- bytes
    mtime_ns INTEGER NOT NULL,
    metadata TEXT NOT NULL,                -- JSON object
    checksum INTEGER NOT NULL              -- CRC-32 of the columns above, see rows.item_checksum
);
CREATE INDEX items_by_hash ON items (content_hash);
CREATE INDEX items_by_size ON items (size);

CREATE TABLE spaces (
    id INTEGER PRIMARY KEY,                -- its vectors are in the table vectors_<id>
    name TEXT NOT NULL UNIQUE,
    model_id TEXT NOT NULL,                -- sha256 of the model file
    dim INTEGER NOT NULL,
    is_default INTEGER NOT NULL
);

CREATE TABLE removals (                    -- what an index built before `seq` must forget
    seq INTEGER NOT NULL,
    item_id INTEGER NOT NULL PRIMARY KEY
);
CREATE INDEX removals_by_seq ON removals (seq);

CREATE TABLE skipped (
    uri TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    size INTEGER,
    mtime_ns INTEGER,
    lasting INTEGER NOT NULL,
    reader TEXT NOT NULL                   -- what could not decode it; another reader tries again
) WITHOUT ROWID;

CREATE TABLE clock (seq INTEGER NOT NULL); -- counts the transactions that changed items or vectors
INSERT INTO clock VALUES (0);
"""

_V2 = """
CREATE TABLE votes (                       -- outlive their items, and are numbered in the order given
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    query TEXT NOT NULL,                   -- SearchResult.key
    item_id INTEGER NOT NULL,
    content_hash BLOB NOT NULL,            -- of the item when it was voted on
    value INTEGER NOT NULL,                -- 1 or -1
    space TEXT NOT NULL,
    at TEXT NOT NULL,                      -- UTC, ISO 8601
    checksum INTEGER NOT NULL,             -- CRC-32 of the columns above, see votes.vote_checksum
    UNIQUE (query, item_id)
);
"""

_V3 = """
ALTER TABLE spaces ADD COLUMN kind TEXT NOT NULL DEFAULT 'photo';       -- records.Kind
ALTER TABLE spaces ADD COLUMN reference TEXT NOT NULL DEFAULT '';       -- records.Space.reference
ALTER TABLE spaces ADD COLUMN approximate INTEGER NOT NULL DEFAULT 0;
UPDATE spaces SET reference = name;

CREATE TABLE texts (                       -- of the items that are texts
    item_id INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    checksum INTEGER NOT NULL              -- CRC-32 of the text in UTF-8
);
CREATE VIRTUAL TABLE text_words USING fts5(  -- a cache of texts, for exact words
    text, content='texts', content_rowid='item_id', tokenize='unicode61 remove_diacritics 2'
);
CREATE TABLE places (                      -- where texts stand; the first one is its item's uri
    uri TEXT NOT NULL PRIMARY KEY,
    item_id INTEGER NOT NULL,
    checksum INTEGER NOT NULL              -- CRC-32 of the columns above, see text_rows.place_checksum
) WITHOUT ROWID;
CREATE INDEX places_by_item ON places (item_id);
CREATE TABLE loose (                       -- texts without a place, while their file is being read anew
    item_id INTEGER PRIMARY KEY,
    replaced INTEGER NOT NULL              -- whether a new text stands where it stood
);
CREATE TABLE text_files (                  -- the files that texts come from
    id INTEGER PRIMARY KEY,
    uri TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,                 -- when it was read
    mtime_ns INTEGER NOT NULL,
    column_name TEXT,                      -- in which its texts are, as it was asked for
    manner TEXT NOT NULL,                  -- reader and model; another manner reads it anew
    rows INTEGER                           -- places that came of it; NULL unless it was read to its end
);
"""

_V4 = """
CREATE TABLE credits (                     -- of interleaved hits, see records.Credit
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    round TEXT NOT NULL,
    query TEXT NOT NULL,                   -- SearchResult.key
    space TEXT NOT NULL,                   -- the one that earned it
    other TEXT NOT NULL,
    item_id INTEGER NOT NULL,
    kind TEXT NOT NULL,                    -- click or vote
    value INTEGER NOT NULL,                -- 1 or -1
    day TEXT NOT NULL,                     -- UTC, ISO 8601
    checksum INTEGER NOT NULL,             -- CRC-32 of the columns above, see credits.credit_checksum
    UNIQUE (round, item_id, kind)
);
"""

_V5 = """
CREATE TABLE spaces_5 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice; its vectors are in the table vectors_<id>
    name TEXT NOT NULL UNIQUE,
    model_id TEXT NOT NULL,                -- sha256 of the model's files
    dim INTEGER NOT NULL,
    is_default INTEGER NOT NULL,
    kind TEXT NOT NULL,                    -- records.Kind
    reference TEXT NOT NULL,               -- records.Space.reference
    approximate INTEGER NOT NULL,
    checksum INTEGER NOT NULL              -- of the columns above, see checksums.row_checksum
);
INSERT INTO spaces_5 SELECT id, name, model_id, dim, is_default, kind, reference, approximate, 0
    FROM spaces ORDER BY id;
DROP TABLE spaces;
ALTER TABLE spaces_5 RENAME TO spaces;
CREATE TABLE spaces_twin (                 -- the same rows once more, on another page
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    model_id TEXT NOT NULL,
    dim INTEGER NOT NULL,
    is_default INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    approximate INTEGER NOT NULL,
    checksum INTEGER NOT NULL
);

CREATE TABLE clock_5 (                     -- one row, see clock.py
    seq INTEGER NOT NULL,                  -- transactions that changed items or vectors
    commits INTEGER NOT NULL,              -- all transactions
    store_id BLOB NOT NULL,                -- 16 random bytes
    checksum INTEGER NOT NULL
);
INSERT INTO clock_5 SELECT seq, 0, randomblob(16), 0 FROM clock;
DROP TABLE clock;
ALTER TABLE clock_5 RENAME TO clock;
UPDATE clock SET checksum = row_checksum('clock', seq, commits, store_id);

ALTER TABLE skipped ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
UPDATE skipped SET checksum = row_checksum('skipped', uri, reason, size, mtime_ns, lasting, reader);
ALTER TABLE text_files ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
UPDATE text_files
    SET checksum = row_checksum('text_files', uri, size, mtime_ns, column_name, manner, rows);
UPDATE items SET checksum = bound(checksum, 'items', id);
UPDATE texts SET checksum = bound(checksum, 'texts', item_id);
DROP TABLE IF EXISTS text_words;
"""

_V6 = """
CREATE TABLE decisions (                   -- on pairs of contents, see decisions.Decision
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    first BLOB NOT NULL,                   -- sha256, the smaller one of the two
    second BLOB NOT NULL,
    verdict TEXT NOT NULL,
    at TEXT NOT NULL,                      -- UTC, ISO 8601
    checksum INTEGER NOT NULL,             -- of the columns above but id, see checksums.row_checksum
    UNIQUE (first, second)
);
"""

WORDS_INDEX = """
CREATE VIEW IF NOT EXISTS text_words_source AS SELECT item_id, indexed(CAST(text AS BLOB)) AS text FROM texts;
CREATE VIRTUAL TABLE text_words USING fts5(  -- a cache of texts, for exact words: see words.py
    text, content='text_words_source', content_rowid='item_id', tokenize='unicode61 remove_diacritics 2'
);
"""

MIGRATIONS = (_V1, _V2, _V3, _V4, _V5, _V6)
"""Each changes what a table is, so that a flipped bit of the number is told from another format."""

FORMAT = len(MIGRATIONS)

VECTORS_TABLE = """
CREATE TABLE {table} (
    item_id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,                  -- the clock when it was written
    checksum INTEGER NOT NULL,             -- CRC-32 of `vector`, bound: see checksums.py
    vector BLOB NOT NULL                   -- float32, little-endian, unit length
);
CREATE INDEX {table}_by_seq ON {table} (seq);
"""


def migrate(connection: sqlite3.Connection, to: int | None = None) -> None:
    """Bring an opened file from its format to this one, or a former; call it inside a write transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    add_functions(connection)
    for number, script in enumerate(MIGRATIONS[version:to], version + 1):
        run_script(connection, script)
        if number == 5:
            run_script(connection, WORDS_INDEX)
            connection.execute("INSERT INTO text_words (text_words) VALUES ('rebuild')")
            seal_spaces(connection)
            for (space,) in connection.execute("SELECT id FROM spaces").fetchall():
                table = f"vectors_{space}"
                connection.execute(f"UPDATE {table} SET checksum = bound(checksum, '{table}', item_id)")
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def add_functions(connection: sqlite3.Connection) -> None:
    """Teach a connection the functions that statements name.

    `new_item_id(uri, content_hash)` leaves the number of a new item to the table.
    """
    connection.create_function("new_item_id", 2, lambda *_: None)
    connection.create_function("row_checksum", -1, row_checksum, deterministic=True)
    connection.create_function("bound", 3, bound, deterministic=True)
    connection.create_function("indexed", 1, indexed, deterministic=True)


def run_script(connection: sqlite3.Connection, script: str) -> None:
    """Run statements inside the current transaction (`executescript` would commit it first)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
