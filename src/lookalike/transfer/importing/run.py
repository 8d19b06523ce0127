"""Brings vectors made elsewhere into a collection: `import_vectors` reads as its table of contents."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from lookalike.decode.pool import DecodePool
from lookalike.decode.texts import clean
from lookalike.decode.worker import PhotoRequest
from lookalike.errors import ModelMismatchError
from lookalike.records import Committed, FileStamp, OnStep, Passage, Photo, Skipped, Space, Vectors, View
from lookalike.sources.uris import is_gone, path_of, uri_of
from lookalike.sources.walk import examine
from lookalike.store import PhotoBatch, Store
from lookalike.store.commit import FilledVector
from lookalike.store.text_commit import TextBatch, TextFileRead
from lookalike.transfer.importing.arrays import unit_rows
from lookalike.transfer.importing.json_table import JsonRows
from lookalike.transfer.importing.names import Entry, Lines, Rows, is_address, photo_uri
from lookalike.transfer.importing.source import ImportSource
from lookalike.transfer.importing.vector_table import TableNames

BATCH = 256
"""Rows per transaction."""

READER = "import"
"""Is kept with skipped rows."""

_FACTS_ONLY = View(16, resample="BOX")  # photos are read for their sha256 and their facts


@dataclass(frozen=True, slots=True)
class ImportContext:
    """The parts that importing needs, and who is told about it.

    `on_step("importing", done, total)` hears of progress in rows, `on_commit` of each row once its outcome
    is on disk.
    """

    store: Store
    decoder: DecodePool
    on_step: OnStep = lambda *_: None
    on_commit: Callable[[Committed], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `rows` is the sum of the six that follow.

    `filled` counts items that were known and got their vector, `unchanged` those that had it; `empty` rows
    without a text or name. `without_file` of the items added are photos whose file is not there; `copies`
    are texts that stand at another place, too. `notes` tell in words what of the source was left out.
    """

    space: Space
    rows: int
    added: int = 0
    filled: int = 0
    moved: int = 0
    unchanged: int = 0
    skipped: int = 0
    empty: int = 0
    without_file: int = 0
    copies: int = 0
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Run:
    """What one run knows: where the vectors go, and whether items may be made that only have this vector."""

    parts: ImportContext
    source: ImportSource
    space: Space
    default: Space
    tally: Counter[str] = field(default_factory=Counter)

    @property
    def is_default(self) -> bool:
        return self.space.id == self.default.id


@dataclass(frozen=True, slots=True)
class _Page:
    """Some rows: where they stand, what for, and their vectors `(n, dim)`, of which some have problems."""

    first: int
    entries: list[Entry]
    rows: Vectors
    problems: dict[int, str]


def import_vectors(parts: ImportContext, source: ImportSource) -> ImportReport:
    """Bring vectors into a collection, in steady memory; run again, it goes on where it stopped.

    The first space of a collection takes all rows. Where there is another, items that are known get their
    vector, and new ones are added if the default space's model can embed them later. Raises
    `ModelMismatchError` where the vectors contradict those of that name, and what reading them raises.
    """
    space = _space(parts.store, source)
    default = parts.store.default_space()
    assert default is not None  # the first space is the default
    run = _Run(parts, source, space, default)
    if source.kind == "text":
        note = _text_file(run)
        for page in _pages(source):
            _commit_texts(run, page, note)
            parts.on_step("importing", page.first + len(page.entries), source.vectors.rows)
        _end_text_file(run, note)
    else:
        for page in _pages(source):
            _commit_photos(run, page)
            parts.on_step("importing", page.first + len(page.entries), source.vectors.rows)
    return _report(run)


def _space(store: Store, source: ImportSource) -> Space:
    """Return the space for the vectors; the name of an imported one, given again, takes further files."""
    vectors, model_id = source.vectors, source.model_id
    held = next((space for space in store.spaces() if space.name == source.name), None)
    if held is not None:
        if held.dim != vectors.dim:
            raise ModelMismatchError(
                f"a dimension that contradicts: the vectors have {vectors.dim:,} numbers, those of the space "
                f"{held.name} {held.dim:,}; give them a space of their own with --name"
            )
        is_same = held.model_id == model_id or (not (held.reference or source.reference) and source.is_named)
        if not is_same or held.reference != source.reference:
            raise ModelMismatchError(
                f"the collection has a space {held.name} with other vectors; to put these beside them say "
                "--name with another name, or with the same one if they were made by the same model"
            )
        if vectors.approximate and not held.approximate:
            raise ModelMismatchError(
                f"the vectors of the space {held.name} are exact, these come out of a lossy index; give them "
                "a space of their own with --name"
            )
        return held
    return store.ensure_space(
        source.name,
        model_id,
        vectors.dim,
        kind=source.kind,
        reference=source.reference,
        approximate=vectors.approximate,
    )


def _pages(source: ImportSource) -> Iterator[_Page]:
    entries = source.names.entries(source.kind)
    first = 0
    for block in source.vectors.blocks(BATCH):
        page = list(islice(entries, len(block)))
        rows, problems = unit_rows(block[: len(page)])
        yield _Page(first, page, rows, problems)
        first += len(page)


def _commit_photos(run: _Run, page: _Page) -> None:
    """Put a page of photos on disk."""
    store, wanted, skipped = run.parts.store, dict[str, int](), list[Skipped]()
    for at, entry in enumerate(page.entries):
        if not entry.value or "\0" in entry.value:
            run.tally["empty"] += 1
            continue
        uri = photo_uri(entry.value, run.source.base)
        if at in page.problems:
            skipped.append(Skipped(uri, page.problems[at]))
        elif uri in wanted:
            run.tally["unchanged"] += 1
        else:
            wanted[uri] = at
    known = {uri: item for uri in wanted if (item := store.items.by_uri(uri)) is not None}
    _fill(run, [(item.id, item.content_hash, uri, wanted[uri]) for uri, item in known.items()], page.rows)
    fresh = [(uri, page.entries[at], at) for uri, at in wanted.items() if uri not in known]
    batch = PhotoBatch(skipped=skipped)
    for made, at in _photos(run, fresh):
        if isinstance(made, Skipped):
            batch.skipped.append(made)
        else:
            batch.photos.append((made, page.rows[at]))
    if batch.photos or batch.skipped:
        written = store.commit(run.space, batch, reader=READER, is_gone=is_gone)
        _tell(run, written.committed)


def _fill(run: _Run, known: list[tuple[int, bytes, str, int]], rows: Vectors) -> None:
    """Give known items their vector in the space, where they have none."""
    having = set(run.parts.store.vectors(run.space).fetch([each[0] for each in known]).ids.tolist())
    lacking = [each for each in known if each[0] not in having]
    run.tally["unchanged"] += len(known) - len(lacking)
    if lacking:
        run.parts.store.fill(
            run.space, [FilledVector(item_id, content, rows[at]) for item_id, content, _, at in lacking]
        )
        _tell(run, [Committed(uri, "updated", item_id) for item_id, _, uri, _ in lacking])


def _photos(run: _Run, fresh: list[tuple[str, Entry, int]]) -> Iterator[tuple[Photo | Skipped, int]]:
    """Yield new photos as far as their files tell of them, and why others cannot be added."""
    if not run.is_default and not run.default.reference:
        reason = f"not in the collection, and {run.default.name} has no model that could embed it"
        yield from ((Skipped(uri, reason, lasting=False), at) for uri, _, at in fresh)
        return
    there, gone = list[tuple[str, Entry, int]](), list[tuple[str, Entry, int]]()
    for each in fresh:
        is_there = not is_address(each[0]) and os.path.lexists(path_of(each[0]))
        (there if is_there else gone).append(each)
    requests = (
        PhotoRequest(uri, path_of(uri), _FACTS_ONLY, stamp=examine(path_of(uri)).stamp) for uri, _, _ in there
    )
    for read, (_, entry, at) in zip(run.parts.decoder.photos(requests), there, strict=True):
        if isinstance(read, Photo):
            yield replace(read, pixels=None, metadata={**entry.metadata, **read.metadata}), at
        else:
            yield read, at
    for uri, entry, at in gone:
        if not run.is_default:
            reason = f"not in the collection, and its file is not there for {run.default.name}"
            yield Skipped(uri, reason, lasting=False), at
            continue
        run.tally["without_file"] += 1
        content = hashlib.sha256(b"no file: " + uri.encode()).digest()
        yield Photo(uri, FileStamp(0, 0), content, None, entry.metadata), at


def _text_file(run: _Run) -> TextFileRead | None:
    """Return what to note of the file that the texts stand in, where the collection begins with it."""
    names = run.source.names
    if not run.is_default or not isinstance(names, Lines | Rows | TableNames | JsonRows):
        return None
    uri = uri_of(names.path)
    stamp = examine(path_of(uri)).stamp or FileStamp(0, 0)
    return TextFileRead(uri, stamp, names.column, f"{READER} {run.space.model_id}")


def _end_text_file(run: _Run, note: TextFileRead | None) -> None:
    if note is not None:
        rows = run.source.vectors.rows - run.tally["empty"] - run.tally["skipped"]
        batch = TextBatch(files=[replace(note, rows=rows)])
        run.parts.store.commit_texts(run.space, batch, reader=READER, is_gone=is_gone)


def _commit_texts(run: _Run, page: _Page, note: TextFileRead | None) -> None:
    """Put a page of texts on disk."""
    store = run.parts.store
    batch = TextBatch(files=[note] if note is not None and page.first == 0 else [])
    passages = list(_passages(run, page, batch))
    hashes = [passage.content_hash for passage, _ in passages]
    known = store.texts.known(hashes, run.space)
    if not run.is_default and not run.default.reference:
        there = store.texts.known(hashes, run.default)
        reason = f"not in the collection, and {run.default.name} has no model that could embed it"
        batch.skipped += [Skipped(each.uri, reason) for each, _ in passages if each.content_hash not in there]
        passages = [each for each in passages if each[0].content_hash in there]
    for passage, at in passages:
        batch.passages.append((passage, None if passage.content_hash in known else page.rows[at]))
        known.add(passage.content_hash)  # the first of copies counts
    written = store.commit_texts(run.space, batch, reader=READER, is_gone=is_gone)
    _tell(run, written.committed)
    if written.lost:  # another process removed them meanwhile
        rows = {passage.uri: page.rows[at] for passage, at in passages}
        again = TextBatch([(each, rows[each.uri]) for each in written.lost], files=batch.files)
        _tell(run, store.commit_texts(run.space, again, reader=READER, is_gone=is_gone).committed)


def _passages(run: _Run, page: _Page, batch: TextBatch) -> Iterator[tuple[Passage, int]]:
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


def _tell(run: _Run, committed: list[Committed]) -> None:
    for each in committed:
        run.tally["filled" if each.outcome == "updated" else each.outcome] += 1
        run.parts.on_commit(each)


def _report(run: _Run) -> ImportReport:
    copies = 0
    if run.source.kind == "text":
        with run.parts.store.scan_texts(run.space, READER) as scan:
            copies = scan.count_copies([uri_of(run.source.names.path)])
    notes = run.source.notes
    return ImportReport(run.space, run.source.vectors.rows, copies=copies, notes=notes, **run.tally)
