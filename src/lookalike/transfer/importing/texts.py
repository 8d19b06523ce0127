"""A page of texts and their vectors, on its way to disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lookalike.decode.texts import clean
from lookalike.embedders.vectors import NO_DIRECTION
from lookalike.records import Committed, FileStamp, Passage, Skipped
from lookalike.sources.uris import is_gone, path_of, uri_of
from lookalike.sources.walk import examine
from lookalike.store.text_commit import TextBatch, TextFileRead
from lookalike.transfer.importing.context import READER, ImportRun, Page, fill_known, tell
from lookalike.transfer.importing.json_table import JsonRows
from lookalike.transfer.importing.names import Lines, Rows
from lookalike.transfer.importing.vector_table import TableNames


def text_file(run: ImportRun) -> TextFileRead | None:
    """Return what to note of the file that the texts stand in, where the collection begins with it."""
    names = run.source.names
    if not run.is_default or not isinstance(names, Lines | Rows | TableNames | JsonRows):
        return None
    uri = uri_of(names.path)
    stamp = examine(path_of(uri)).stamp or FileStamp(0, 0)
    return TextFileRead(uri, stamp, names.column, f"{READER} {run.space.model_id}")


def end_text_file(run: ImportRun, note: TextFileRead | None) -> None:
    """Note that the file was read to its end."""
    if note is not None:
        rows = run.source.vectors.rows - run.tally["empty"] - run.tally["skipped"]
        batch = TextBatch(files=[replace(note, rows=rows)])
        run.parts.store.commit_texts(run.space, batch, reader=READER, is_gone=is_gone)


def commit_texts(run: ImportRun, page: Page, note: TextFileRead | None) -> None:
    """Put a page of texts on disk."""
    store = run.parts.store
    batch = TextBatch(files=[note] if note is not None and page.first == 0 else [])
    passages = list(_passages(run, page, batch))
    known = store.texts.known([passage.content_hash for passage, _ in passages], run.default)
    rows = _rows_for_default(run, page, [each for each in passages if each[0].content_hash not in known])
    sound = known | rows.keys()
    lost = [passage for passage, _ in passages if passage.content_hash not in sound]
    if lost:
        reason = NO_DIRECTION if run.is_default else run.default_model().refusal or NO_DIRECTION
        batch.skipped += [Skipped(passage.uri, reason) for passage in lost]
    passages = [each for each in passages if each[0].content_hash in sound]
    batch.passages = [(each, rows.get(each.content_hash)) for each, _ in passages]
    written = store.commit_texts(run.default, batch, reader=READER, is_gone=is_gone)
    committed = written.committed
    if written.lost:  # another process removed them meanwhile
        gone = [(passage, at) for passage, at in passages if passage in written.lost]
        rows = _rows_for_default(run, page, gone)
        again = TextBatch([(each, rows.get(each.content_hash)) for each, _ in gone], files=batch.files)
        committed += store.commit_texts(run.default, again, reader=READER, is_gone=is_gone).committed
    tell(run, committed if run.is_default else _fill_texts(run, passages, committed, page))


def _rows_for_default(
    run: ImportRun, page: Page, passages: list[tuple[Passage, int]]
) -> dict[bytes, npt.NDArray[np.float32]]:
    """Return the vectors `(dim,)` of texts in the default space by sha256: the page's, or embedded."""
    if not run.is_default:
        return run.default_model().texts([each for each, _ in passages]) if passages else {}
    rows: dict[bytes, npt.NDArray[np.float32]] = {}
    for passage, at in passages:
        rows.setdefault(passage.content_hash, page.rows[at])  # the first of copies counts
    return rows


def _fill_texts(
    run: ImportRun, passages: list[tuple[Passage, int]], committed: list[Committed], page: Page
) -> list[Committed]:
    """Give texts that are there their vector in the space; returns what became of each row."""
    rows = {passage.uri: (passage.content_hash, at) for passage, at in passages}
    there = [
        (each.item_id, rows[each.uri][0], each.uri, rows[each.uri][1])
        for each in committed
        if each.item_id is not None
    ]
    filled = {each.uri for each in fill_known(run, there, page) if each.outcome == "updated"}
    return [
        replace(each, outcome="updated") if each.outcome == "unchanged" and each.uri in filled else each
        for each in committed
    ]


def _passages(run: ImportRun, page: Page, batch: TextBatch) -> Iterator[tuple[Passage, int]]:
    """Yield the texts of a page and where their vectors are; what is wrong with others goes into `batch`."""
    path = run.source.names.path
    file, moment = uri_of(path), (examine(str(path)).stamp or FileStamp(0, 0)).mtime_ns
    for at, entry in enumerate(page.entries):
        uri = entry.place or f"{file}#{page.first + at + 1}"
        text = clean(entry.value or "")
        if entry.problem or (text and at in page.problems):
            batch.skipped.append(Skipped(uri, entry.problem or page.problems[at]))
        elif not text:
            run.tally["empty"] += 1
        else:
            content = text.encode()
            stamp = FileStamp(len(content), moment)
            yield Passage(uri, text, hashlib.sha256(content).digest(), stamp, entry.metadata), at
