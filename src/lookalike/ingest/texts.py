"""The way in for texts: sources → passages → embed → store. `ingest_texts` reads as its table of contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

import numpy as np

from lookalike.decode.remarks import Remarks
from lookalike.decode.tables import AS_FOUND, ReadAs
from lookalike.decode.texts import TextFile
from lookalike.embedders import TextEmbedder
from lookalike.embedders.known import HARDLY, known_shares
from lookalike.embedders.vectors import NO_DIRECTION, have_direction
from lookalike.errors import LookalikeError, QueryError, UsageError
from lookalike.ingest.gone import Presence
from lookalike.ingest.readable import hardly_readable
from lookalike.ingest.run import IngestContext, record_walk, report_of
from lookalike.ingest.vanished import find_vanished
from lookalike.records import Passage, Skipped, Vectors
from lookalike.reports import AddReport
from lookalike.sources.everywhere import WideWalk
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.kinds import is_text
from lookalike.sources.remote.addresses import Source, is_address
from lookalike.sources.uris import is_gone, path_of, uri_of
from lookalike.store.text_commit import TextBatch, TextFileRead
from lookalike.store.text_rows import file_of
from lookalike.store.text_scan import TextFileToRead, TextScan

BATCH = 512
"""Passages per inference call and transaction: so many that it pays to sort them by length."""

READER = "2"
"""Changes whenever files are read in another way, so that all are read anew."""

_MOST_DAMAGED = 100  # rows of one file that are named
_GONE_REMEMBERED = 10_000  # files


@dataclass(frozen=True, slots=True)
class TextIngest(IngestContext):
    """The parts that reading texts needs."""

    embedder: TextEmbedder


@dataclass(slots=True)
class _Run:
    """What one run knows: what was asked for, and what it came across.

    `reader` is kept with skipped files, `manner` begins what is kept with those that were read; `emptied` are
    files in which no text is left. `without_direction` are contents that the model gives none, `fewer` how
    many places of each file that costs. Of the texts `embedded`, so many are `unreadable`: the model knows
    hardly anything of them.
    """

    column: str | None
    reader: str
    manner: str
    named: frozenset[str]
    is_gone: Callable[[str], bool] = is_gone
    empty: int = 0
    split: int = 0
    emptied: list[str] = field(default_factory=list)
    without_direction: set[bytes] = field(default_factory=set)
    fewer: Counter[str] = field(default_factory=Counter)
    read_as: ReadAs = AS_FOUND
    remarks: Remarks = field(default_factory=Remarks)
    embedded: int = 0
    unreadable: int = 0


_Result = Passage | Skipped | TextFileRead | list[str]
"""What reading yields: texts, files that cannot be read, files as they begin and end, and stale places."""


def ingest_texts(  # noqa: PLR0913  # most by keyword
    parts: TextIngest,
    paths: Sequence[Source],
    column: str | None,
    *,
    read_as: ReadAs = AS_FOUND,
    prune: bool = False,
    afresh: bool = False,
    rules: Exclusions | None = None,
) -> AddReport:
    """Bring the texts at `paths` into the store; unchanged files are not read again, unless `afresh`.

    `column` is where the texts are in tables; None stands for the column that a file was read by before, and
    so it is with what `read_as` does not say. Files that were read otherwise are read again. No text that is
    stored already is embedded again, wherever it stands now.
    """
    model = parts.space.model_id
    named = frozenset(
        path if isinstance(path, str) else uri_of(path)
        for path in paths
        if isinstance(path, str) or not path.is_dir()
    )
    run = _Run(column, f"texts {READER} {column or ''}", f"{READER} {model}", named, read_as=read_as)
    walk = WideWalk(paths, parts.store.folder, rules or Exclusions(), "text")
    with parts.store.scan_texts(parts.space, run.reader) as scan:
        record_walk(walk, scan, parts.on_step)
        run.is_gone = lru_cache(_GONE_REMEMBERED)(Presence(walk, scan).is_gone)
        if not afresh:
            scan.settle_files(_manner(run, read_as), column, exactly=read_as != AS_FOUND)
        tally = Counter(unchanged=scan.count_rows(), skipped=scan.count_skipped())
        for batch in _embed(parts, run, _batches(_read(parts, run, scan))):
            tally.update(_commit(parts, run, batch))
            parts.on_step("reading", tally.total(), None)
        return _reckon(parts, run, walk, scan, tally, prune=prune)


def _manner(run: _Run, read_as: ReadAs) -> str:
    """Return how a file is read, to be kept with it."""
    return f"{run.manner} {read_as.note()}".rstrip()


def read_before(manner: str) -> ReadAs:
    """Return what was said of a file that was read in that manner."""
    return ReadAs.noted_in(" ".join(manner.split(" ")[2:]))


def _read(parts: TextIngest, run: _Run, scan: TextScan) -> Iterator[_Result]:
    """Yield what each file holds."""
    yield from scan.unreadable()
    for file in scan.files_to_read():
        if file.uri in run.named or is_text(file.uri):
            yield from _read_file(parts, run, scan, file)
        else:
            yield Skipped(file.uri, "not a file of texts, by its name", file.stamp)


@contextmanager
def local_path(uri: str) -> Iterator[str]:
    """Give the path of a file of texts; what is remote is fetched into a temporary one.

    Raises `LookalikeError` and `OSError` where that fails.
    """
    if not is_address(uri):
        yield path_of(uri)
        return
    from lookalike.sources.remote.ranges import as_file  # loads much that files do without

    with as_file(uri) as path:
        yield path


def _read_file(parts: TextIngest, run: _Run, scan: TextScan, file: TextFileToRead) -> Iterator[_Result]:
    """Yield what a file holds, wherever it lies, or why it cannot be had."""
    with ExitStack() as stack:
        try:
            path = stack.enter_context(local_path(file.uri))
        except (LookalikeError, OSError) as error:
            yield skipped_file(error, file, lasting=False)
            return
        yield from _read_at(parts, run, scan, file, path)


def _read_at(
    parts: TextIngest, run: _Run, scan: TextScan, file: TextFileToRead, path: str
) -> Iterator[_Result]:
    """Yield the texts of a file; at its end the rows that cannot be read and the places that are no more."""
    column = file.column if run.column is None else run.column
    read_as = run.read_as.after(read_before(file.manner))
    about = TextFileRead(file.uri, file.stamp, column, _manner(run, read_as))
    source = TextFile(path, file.uri, column, parts.embedder.reach, read_as=read_as)
    passages = source.passages()
    rows = 0
    problem: LookalikeError | OSError | None = None
    while problem is None:
        page: list[Passage] = []
        try:
            page.extend(islice(passages, BATCH))
        except (LookalikeError, OSError) as error:
            problem = error
        if not page:
            break
        if not rows:
            yield about
        scan.see([passage.uri for passage in page])
        rows += len(page)
        yield from page
    run.empty += source.empty
    run.split += source.split
    run.remarks.add(source.remarks)
    if problem is not None:
        scan.forget_seen()
        yield from damaged_rows(source, file)
        yield skipped_file(
            problem, file, lasting=not rows
        )  # else, what was read before it would be counted as gone
        return
    if not rows and scan.has_places(file.uri):  # as a file is for a moment while something writes it anew
        run.emptied.append(file.uri)
        return
    if not rows:
        yield about
    yield from damaged_rows(source, file)
    if source.changed:  # while it was read: next time it is read again
        scan.forget_seen()
    else:
        yield from scan.stale(file.uri)
        yield replace(about, rows=rows)


def skipped_file(problem: LookalikeError | OSError, file: TextFileToRead, *, lasting: bool) -> Skipped:
    """Say why a file of texts cannot be read, or not to its end."""
    reason = str(problem)
    if isinstance(problem, OSError):
        reason, lasting = f"cannot be read: {problem.strerror or problem}", False
    return Skipped(
        file.uri, reason, file.stamp, lasting=lasting and isinstance(problem, UsageError | QueryError)
    )


def damaged_rows(source: TextFile, file: TextFileToRead) -> Iterator[Skipped]:
    """Yield the rows of a table that cannot be read, the first ones each by itself."""
    named, more = source.damaged[:_MOST_DAMAGED], len(source.damaged) - _MOST_DAMAGED
    for each in named:
        row, _, reason = each.removeprefix("row ").partition(": ")
        yield Skipped(f"{file.uri}#{row}", reason, file.stamp)
    if more > 0:
        yield Skipped(f"{file.uri}#0", f"{more:,} more rows cannot be read", file.stamp)


def _batches(results: Iterator[_Result]) -> Iterator[TextBatch]:
    """Group what was read; texts have no vectors yet."""
    while some := list(islice(results, BATCH)):
        yield TextBatch(
            [(each, None) for each in some if isinstance(each, Passage)],
            [each for each in some if isinstance(each, Skipped)],
            [uri for each in some if isinstance(each, list) for uri in each],
            [each for each in some if isinstance(each, TextFileRead)],
        )


def _embed(parts: TextIngest, run: _Run, batches: Iterator[TextBatch]) -> Iterator[TextBatch]:
    """Give new texts their vectors: one batch is embedded while the last is written and the next is read."""
    with ThreadPoolExecutor(1, "embedding") as pool:
        waiting: tuple[TextBatch, list[bytes], Future[Vectors] | None] | None = None
        for batch in batches:
            texts = _unknown(parts, batch, waiting[1] if waiting else [])
            embedded = pool.submit(_vectors, parts.embedder, run, list(texts.values())) if texts else None
            if waiting is not None:
                yield _embedded(run, *waiting)
            waiting = batch, list(texts), embedded
        if waiting is not None:
            yield _embedded(run, *waiting)


def _vectors(embedder: TextEmbedder, run: _Run, texts: list[str]) -> Vectors:
    """Embed texts, and count those that the model can hardly read."""
    run.embedded += len(texts)
    run.unreadable += sum(share < HARDLY for share in known_shares(embedder, texts))
    return embedder.embed_texts(texts)


def _unknown(parts: TextIngest, batch: TextBatch, on_their_way: list[bytes]) -> dict[bytes, str]:
    """Return the texts of a batch that must be embedded, by sha256."""
    texts = {passage.content_hash: passage.text for passage, _ in batch.passages}
    for known in (on_their_way, parts.store.texts.known(list(texts), parts.space)):
        for content_hash in known:
            texts.pop(content_hash, None)
    return texts


def _embedded(
    run: _Run, batch: TextBatch, hashes: list[bytes], embedding: Future[Vectors] | None
) -> TextBatch:
    rows = embedding.result() if embedding else np.empty((0, 0), np.float32)
    vectors = dict(zip(hashes, rows, strict=True))
    run.without_direction.update(
        content for content, found in zip(hashes, have_direction(rows), strict=True) if not found
    )
    passages = [(passage, vectors.get(passage.content_hash)) for passage, _ in batch.passages]
    return _split_off(run, replace(batch, passages=passages))


def _split_off(run: _Run, batch: TextBatch) -> TextBatch:
    """Skip the texts to which the model gives no direction; their file has so many places fewer."""
    lost = [passage for passage, _ in batch.passages if passage.content_hash in run.without_direction]
    run.fewer.update(file_of(passage.uri) for passage in lost)
    skipped = [Skipped(each.uri, NO_DIRECTION, each.stamp, lasting=False) for each in lost]
    return replace(
        batch,
        passages=[each for each in batch.passages if each[0].content_hash not in run.without_direction],
        skipped=[*batch.skipped, *skipped],
        files=[
            file if file.rows is None else replace(file, rows=file.rows - run.fewer.pop(file.uri, 0))
            for file in batch.files
        ],
    )


def _commit(parts: TextIngest, run: _Run, batch: TextBatch) -> Counter[str]:
    """Put a batch on disk, then say so."""
    written = parts.store.commit_texts(parts.space, batch, reader=run.reader, is_gone=run.is_gone)
    tally = parts.announce(written.committed)
    if written.lost:  # another process removed them meanwhile
        rows = _vectors(parts.embedder, run, [passage.text for passage in written.lost])
        found = zip(written.lost, rows, have_direction(rows), strict=True)
        run.without_direction.update(passage.content_hash for passage, _, has in found if not has)
        again = TextBatch(list(zip(written.lost, rows, strict=True)), files=batch.files)
        again = _split_off(run, again)
        tally += _commit(parts, run, again)
    return tally


def _reckon(
    parts: TextIngest, run: _Run, walk: WideWalk, scan: TextScan, tally: Counter[str], *, prune: bool
) -> AddReport:
    """Remove the texts that are in their files no more, and find those whose files have vanished.

    A file that is there and was read to its end tells what is gone from it; one that is absent or empty does
    not, so that its texts are removed only where that was asked for.
    """
    texts = parts.store.texts
    gone = texts.remove_loose()
    vanished = find_vanished(walk, scan, prune=prune)
    files = [*vanished.items.values(), *run.emptied]
    lost = texts.count_only_in(files)
    removed = 0
    if prune:
        removed = texts.remove_files(files, lambda uri: uri in run.emptied or vanished.still(uri))
    texts.forget_files(files)
    parts.store.forget_skips(scan.outdated_skips(vanished.known_roots))
    return replace(
        report_of(tally, walk),
        vanished=gone + lost,
        pruned=gone + removed,
        absent=vanished.absent,
        copies=scan.count_copies(walk.named),
        split=run.split,
        empty=run.empty,
        unreadable=run.unreadable,
        remarks=(*run.remarks.lines(), *hardly_readable(run.unreadable, run.embedded, parts.space)),
    )
