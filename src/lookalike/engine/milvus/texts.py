"""The texts of a collection in Milvus, for who reads them in and writes them out; see `store.texts.Texts`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.mirror import Mirror
from lookalike.records import Space
from lookalike.store.rows import select
from lookalike.store.text_rows import HoldsTexts
from lookalike.store.texts import Texts


class MilvusTexts(Texts):
    """What a local store says of its texts, said of the mirror of this run."""

    def __init__(self, engine: MilvusEngine, mirror: Callable[[], Mirror]) -> None:
        self._engine = engine
        self._mirror = mirror
        self._holds_texts = HoldsTexts()

    @property
    def _database(self) -> Mirror:  # type: ignore[override]  # it has the same face
        return self._mirror()

    def known(self, hashes: Sequence[bytes], space: Space) -> set[bytes]:
        """Return the sha256 of those texts that are stored, with a vector in the space."""
        table = f"vectors_{space.id}"
        sql = (
            f"SELECT content_hash FROM items JOIN {table} ON item_id = id "
            "WHERE items.checksum != 0 AND content_hash IN"
        )
        with self._database.reading() as connection:
            return {row[0] for row in select(connection, sql, hashes)}

    def places(self, item_id: int, limit: int = -1) -> list[str]:
        """Return up to `limit` uris at which a text stands, in the order of their files and rows."""
        found = [each.uri for each in self._engine.books.by_item("places", [item_id])]
        found.sort(key=lambda uri: (len(uri), uri))
        return found if limit < 0 else found[:limit]
