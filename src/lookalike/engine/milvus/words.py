"""Exact words in Milvus: each text has its words beside it, and SQLite ranks those that have some."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lookalike.engine.milvus.books import Books, Entry
from lookalike.engine.milvus.client import MilvusConnection
from lookalike.engine.milvus.conditions import one_of
from lookalike.engine.milvus.items import pages_of
from lookalike.engine.milvus.terms import ranked, wanted_terms
from lookalike.records import Ids

_PAGE = 4_000
_ASKED = 1_000


def having_words(
    connection: MilvusConnection, name: str, words: str, limit: int, allowed: Ids | None
) -> list[int]:
    """Return the ids of up to `limit` texts that have exact words, the best match first.

    `allowed` are the only ids that may be returned.
    """
    terms = wanted_terms(words)
    if not terms or limit < 1:
        return []
    where = f'json_contains_any(facts["terms"], {json.dumps(terms, ensure_ascii=False)})'
    texts: list[tuple[int, str]] = []
    if allowed is None:
        for page in pages_of(connection, name, where, ["id", "text"], _PAGE):
            texts += [(row["id"], row["text"]) for row in page]
    else:
        for at in range(0, len(allowed), _ASKED):
            some = f"{where} and {one_of('id', allowed[at : at + _ASKED].tolist())}"
            texts += [(row["id"], row["text"]) for row in connection.query(name, some, ["id", "text"])]
    return ranked(texts, words, limit)


def forget_places(books: Books, ids: Sequence[int]) -> None:
    """Forget where texts stand, and that their files were read to their end: they are read anew next time."""
    places = books.by_item("places", ids)
    loose = books.get("loose", [str(each) for each in ids])
    files = sorted({each.uri.rpartition("#")[0] or each.uri for each in places})
    noted = books.get("text_files", files)
    books.put(Entry(each.book, each.name, {**each.data, "rows": None}, each.uri, each.item) for each in noted)
    books.delete([*places, *loose])
