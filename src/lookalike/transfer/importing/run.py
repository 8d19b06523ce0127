"""Brings vectors made elsewhere into a collection: `import_vectors` reads as its table of contents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from lookalike.engine.writing import ItemStore
from lookalike.errors import ModelMismatchError
from lookalike.records import Space
from lookalike.sources.uris import uri_of
from lookalike.transfer.importing.arrays import unit_rows
from lookalike.transfer.importing.context import READER, ImportContext, ImportRun, Page
from lookalike.transfer.importing.photos import commit_photos
from lookalike.transfer.importing.source import ImportSource
from lookalike.transfer.importing.texts import commit_texts, end_text_file, text_file

BATCH = 256
"""Rows per transaction."""


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


def import_vectors(parts: ImportContext, source: ImportSource) -> ImportReport:
    """Bring vectors into a collection, in steady memory; run again, it goes on where it stopped.

    The first space of a collection takes all rows. Where there is another, items that are known get their
    vector, and new ones are added if the default space's model can embed them, at once. Raises
    `ModelMismatchError` where the vectors contradict those of that name, and what reading them raises.
    """
    space = space_for(parts.store, source)
    default = parts.store.default_space()
    assert default is not None  # the first space is the default
    run = ImportRun(parts, source, space, default)
    if source.kind == "text":
        note = text_file(run)
        for page in _pages(source):
            commit_texts(run, page, note)
            parts.on_step("importing", page.first + len(page.entries), source.vectors.rows)
        end_text_file(run, note)
    else:
        for page in _pages(source):
            commit_photos(run, page)
            parts.on_step("importing", page.first + len(page.entries), source.vectors.rows)
    return _report(run)


def space_for(store: ItemStore, source: ImportSource) -> Space:
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


def _pages(source: ImportSource) -> Iterator[Page]:
    entries = source.names.entries(source.kind)
    first = 0
    for block in source.vectors.blocks(BATCH):
        page = list(islice(entries, len(block)))
        rows, problems = unit_rows(block[: len(page)])
        yield Page(first, page, rows, problems)
        first += len(page)


def _report(run: ImportRun) -> ImportReport:
    copies = 0
    if run.source.kind == "text":
        with run.parts.store.scan_texts(run.space, READER) as scan:
            copies = scan.count_copies([uri_of(run.source.names.path)])
    notes = run.source.notes
    return ImportReport(run.space, run.source.vectors.rows, copies=copies, notes=notes, **run.tally)
