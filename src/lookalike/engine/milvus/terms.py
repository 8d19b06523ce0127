"""Exact words of texts as terms: what a text has, what a query looks for, and which texts come first."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from itertools import accumulate

from lookalike.store.words import indexed, query_terms

_MOST_TERMS = 2_000  # of a text
_MOST_BYTES = 65_000  # of them as JSON, of which Milvus takes 65,536
_AROUND_TERM = 3  # quotes and a comma
_TOKENIZER = "tokenize='unicode61 remove_diacritics 2'"
_local = threading.local()


def terms_of(text: str) -> list[str]:
    """Return the different words of a text, as SQLite's tokenizer finds them."""
    if not text:
        return []
    connection = _tokenizer()
    connection.execute("DELETE FROM words")
    connection.execute("INSERT INTO words (rowid, text) VALUES (1, ?)", (indexed(text),))
    rows = connection.execute("SELECT term FROM terms ORDER BY term LIMIT ?", (_MOST_TERMS,))
    terms = [term for (term,) in rows]
    sizes = accumulate(len(term.encode()) + _AROUND_TERM for term in terms)
    return terms[: sum(size <= _MOST_BYTES for size in sizes)]


def wanted_terms(words: str) -> list[str]:
    """Return one term of each word of a query: texts that have none of them have none of the words."""
    found: list[str] = []
    for quoted in query_terms(words):
        terms = terms_of(quoted.removesuffix(" *").strip('"'))
        found += terms[:1]
    return found


def ranked(texts: Iterable[tuple[int, str]], words: str, limit: int) -> list[int]:
    """Return the ids of those of the texts that have the words, the best (BM25) first.

    Texts with all of the words come before those with some.
    """
    terms = query_terms(words)
    if not terms or limit < 1:
        return []
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE words USING fts5(text, {_TOKENIZER})")
        rows = ((item_id, indexed(text)) for item_id, text in texts)
        connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", rows)
        sql = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ?"
        found = [row[0] for row in connection.execute(sql, (" AND ".join(terms), limit))]
        if len(terms) > 1 and len(found) < limit:
            some = [row[0] for row in connection.execute(sql, (" OR ".join(terms), limit + len(found)))]
            known = set(found)
            found += [item_id for item_id in some if item_id not in known][: limit - len(found)]
        return found
    finally:
        connection.close()


def _tokenizer() -> sqlite3.Connection:
    """Return this thread's table in which texts are taken apart."""
    connection: sqlite3.Connection | None = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.execute(f"CREATE VIRTUAL TABLE words USING fts5(text, {_TOKENIZER})")
        connection.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, row)")
    return connection
