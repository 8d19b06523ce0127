"""The texts of a collection in Milvus, for who reads them in and writes them out; see `store.texts.Texts`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.mirror import Mirror
from lookalike.engine.milvus.rows import ItemRow
from lookalike.records import Passage, Skipped, Space
from lookalike.store.commit import Written
from lookalike.store.filters import in_file
from lookalike.store.rows import encode_metadata, select
from lookalike.store.text_commit import TextBatch, TextFileRead, TextWriter
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


def write_batch(mirror: Mirror, batch: TextBatch, writer: TextWriter) -> Written[Passage]:
    """Write a batch, but what Milvus cannot hold, which is skipped; for use inside `mirror.writing()`.

    A file that ends has as many rows as it has places then.
    """
    batch = _with_lengths_checked(batch)
    begun = [file for file in batch.files if file.rows is None]
    result = writer.write(replace(batch, files=begun))
    if not result.lost:
        ended = [_counted(mirror, file) for file in batch.files if file.rows is not None]
        writer.write(TextBatch(files=ended))
    return result


def _counted(mirror: Mirror, file: TextFileRead) -> TextFileRead:
    where, values = in_file(file.uri)
    ((count,),) = mirror.fetch(f"SELECT count(*) FROM places WHERE {where}", values)
    return replace(file, rows=min(file.rows or 0, count))


def _with_lengths_checked(batch: TextBatch) -> TextBatch:
    """Return a batch in which texts that Milvus cannot hold are skipped, with the reason.

    What stood at their places until now is there no more.
    """
    too_long = {}
    for passage, _ in batch.passages:
        metadata = encode_metadata(passage.metadata)
        row = ItemRow(0, passage.uri, passage.content_hash, passage.stamp, metadata, passage.text)
        if problem := row.too_long():
            too_long[passage.uri] = Skipped(passage.uri, problem, passage.stamp)
    if not too_long:
        return batch
    return replace(
        batch,
        passages=[each for each in batch.passages if each[0].uri not in too_long],
        skipped=[*batch.skipped, *too_long.values()],
        stale=[*batch.stale, *too_long],
    )
