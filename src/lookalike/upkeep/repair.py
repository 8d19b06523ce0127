"""Puts right what a check of the collection has found damaged, as far as the photos' own files can."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from lookalike.embed import TextEmbedder
from lookalike.ingest.add import fill_spaces
from lookalike.ingest.photos import Ingest, ingest
from lookalike.ingest.texts import TextIngest, ingest_texts
from lookalike.open_collection import Wiring
from lookalike.sources.sources import path_of
from lookalike.store import Store
from lookalike.store.salvage import salvage
from lookalike.store.store import STORE_FILE
from lookalike.upkeep.verify import VerifyReport, verify


def repair(wiring: Wiring, report: VerifyReport) -> VerifyReport:
    """Return what is left of the damage in `report`, and what was repaired."""
    index_folder = wiring.path / "index"
    if any(each.what == STORE_FILE or each.what.startswith("index/") for each in report.damage):
        wiring.forget_indexes()
    if any(each.what == STORE_FILE for each in report.damage):
        wiring.release()
        salvage(wiring.path / STORE_FILE)
        found = verify(wiring.store(), index_folder).damage
        report = replace(report, damage=(*report.damage, *found))
    _restore(wiring, report)
    after = verify(wiring.store(), index_folder)
    left = {(each.what, each.item_id) for each in after.damage}
    repaired = tuple(each for each in report.damage if (each.what, each.item_id) not in left)
    return replace(after, repaired=repaired)


def _restore(wiring: Wiring, report: VerifyReport) -> None:
    """Read again the files behind damaged rows, fill in what is missing, and build the indexes anew."""
    store = wiring.store()
    store.items.drop_orphans()
    store.texts.mend()
    store.votes.drop_damaged()
    store.credits.drop_damaged()
    for space in store.spaces():
        if not space.is_default:
            store.vectors(space).drop_damaged()  # filled in again below
    paths = [path_of(uri) for uri in dict.fromkeys(each.uri for each in report.damage if each.uri)]
    files = [Path(path) for path in paths if os.path.isfile(path)]  # noqa: PTH113  # false for any odd name
    if files:
        _read_again(wiring, store, files)
    if not store.items.is_empty():
        fill_spaces(wiring, store, _ignore)
        wiring.refresh_index()


def _read_again(wiring: Wiring, store: Store, files: list[Path]) -> None:
    space = wiring.space(store)
    embedder = wiring.main_embedder(space.kind)  # refuses another model than the collection's
    if isinstance(embedder, TextEmbedder):
        ingest_texts(TextIngest(store, space, embedder, _ignore, _ignore), files, None, afresh=True)
    else:
        ingest(Ingest(store, space, wiring.decoder, embedder, _ignore, _ignore), files, afresh=True)


def _ignore(*_: Any) -> None:
    """Stand in for a listener that nobody gave."""
