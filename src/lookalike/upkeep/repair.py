"""Puts right what a check of the collection has found damaged, as far as the photos' own files can."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lookalike.embedders import TextEmbedder
from lookalike.errors import DamagedError
from lookalike.ingest.add import fill_spaces
from lookalike.ingest.photos import PhotoIngest, ingest_photos
from lookalike.ingest.texts import TextIngest, ingest_texts
from lookalike.open_collection import OpenCollection
from lookalike.progress import unheard
from lookalike.sources.remote.addresses import Source, is_address
from lookalike.sources.uris import container_of, path_of
from lookalike.store import Store
from lookalike.store.books import mend_books
from lookalike.store.salvage import mend_file, rescue
from lookalike.store.store import STORE_FILE
from lookalike.upkeep.check_files import check_files
from lookalike.upkeep.verify import Damage, VerifyReport, verify


def verify_collection(opened: OpenCollection, *, repair: bool = False, files: bool = False) -> VerifyReport:
    """Check everything, and put right what can be where that was asked for; see `Collection.verify`."""
    report = _verified(opened, repair)
    return replace(report, files=tuple(check_files(opened))) if files and report.sound else report


def _verified(opened: OpenCollection, repair: bool) -> VerifyReport:
    try:
        report = verify(_store(opened), opened.folder / "index")
    except DamagedError as error:
        if not repair:
            raise
        report = VerifyReport(0, 0, (Damage(STORE_FILE, str(error)),))
    if not repair or report.sound:
        return report
    opened.check_writable()
    try:
        return repair_damage(opened, report)
    except DamagedError as error:
        raise DamagedError(
            f"{opened.folder} is too damaged to be repaired ({error}); what is left of it is kept: add the "
            "photos to a new collection"
        ) from error


def repair_damage(opened: OpenCollection, report: VerifyReport) -> VerifyReport:
    """Return what is left of the damage in `report`, and what was repaired."""
    index_folder, notes = opened.folder / "index", list[Damage]()
    if any(each.what == STORE_FILE or each.what.startswith("index/") for each in report.damage):
        opened.forget_indexes()
    if any(each.what == STORE_FILE for each in report.damage):
        notes, found = _mend_file(opened)
        report = replace(report, damage=(*report.damage, *found))
    _restore(opened, report)
    after = verify(_store(opened), index_folder)
    left = {(each.what, each.item_id) for each in after.damage}
    repaired = tuple(each for each in report.damage if (each.what, each.item_id) not in left)
    return replace(after, repaired=(*notes, *repaired))


def _mend_file(opened: OpenCollection) -> tuple[list[Damage], tuple[Damage, ...]]:
    """Mend the store's log, or where that does not do rescue its rows; needs the collection for itself.

    Returns what is to be told of it, and what is damaged in the rows.
    """
    path, notes = opened.folder / STORE_FILE, list[Damage]()
    opened.release()
    inode = path.stat().st_ino
    try:
        notes = [Damage(STORE_FILE, note) for note in mend_file(path)]
        found = verify(_store(opened), opened.folder / "index").damage
        is_broken = any(each.what == STORE_FILE for each in found)
    except DamagedError:
        is_broken = True
    if is_broken:
        opened.release()
        notes += [Damage(STORE_FILE, note) for note in rescue(path, inode)]
        found = verify(_store(opened), opened.folder / "index").damage
    return notes, found


def _restore(opened: OpenCollection, report: VerifyReport) -> None:
    """Read again the files behind damaged rows, fill in what is missing, and build the indexes anew."""
    store = _store(opened)
    mend_books(store.database)
    store.items.drop_orphans()
    store.items.drop_without_direction()
    store.texts.mend()
    store.votes.drop_damaged()
    store.credits.drop_damaged()
    store.decisions.drop_damaged()
    for space in store.spaces():
        if not space.is_default:
            store.vectors(space).drop_damaged()  # filled in again below
    if sources := _sources_of(report):
        _read_again(opened, store, sources)
    if not store.items.is_empty():
        fill_spaces(opened, store, unheard)
        opened.engine().refresh_indexes()


def _sources_of(report: VerifyReport) -> list[Source]:
    """Return the files, objects, shards and tables that damaged rows came from, if they may be there."""
    places = dict.fromkeys(container_of(each.uri) or each.uri for each in report.damage if each.uri)
    return [
        place if is_address(place) else Path(path_of(place))
        for place in places
        if is_address(place) or os.path.isfile(path_of(place))  # noqa: PTH113  # false for any odd name
    ]


def _read_again(opened: OpenCollection, store: Store, files: list[Source]) -> None:
    space = opened.space()
    embedder = opened.main_embedder(space.kind)  # refuses another model than the collection's
    if isinstance(embedder, TextEmbedder):
        texts = TextIngest(store, space, unheard, unheard, embedder)
        ingest_texts(texts, files, None, afresh=True)
    else:
        ingest_photos(
            PhotoIngest(store, space, unheard, unheard, opened.decoder, embedder), files, afresh=True
        )


def _store(opened: OpenCollection) -> Store:
    """Return the store, which is on this machine."""
    return opened.local_engine("verify", "Milvus has its own tools for that").store
