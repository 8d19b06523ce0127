"""A page of photos and their vectors, on its way to disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from lookalike.decode.requests import PhotoRequest
from lookalike.embedders.vectors import NO_DIRECTION
from lookalike.ingest.batches import BATCH as EMBED_BATCH
from lookalike.ingest.hashes import with_hashes
from lookalike.records import FileStamp, Photo, Skipped, View
from lookalike.sources.sidecars import Sidecars
from lookalike.sources.uris import is_gone, path_of
from lookalike.sources.walk import examine
from lookalike.store import PhotoBatch
from lookalike.transfer.importing.context import READER, ImportRun, Page, fill_known, tell
from lookalike.transfer.importing.names import Entry, is_address, photo_uri

_FACTS_ONLY = View(16, resample="BOX")  # photos are read for their sha256 and their facts


def commit_photos(run: ImportRun, page: Page) -> None:
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
    known = store.items.by_uris(list(wanted))
    there = [(item.id, item.content_hash, uri, wanted[uri]) for uri, item in known.items()]
    tell(run, fill_known(run, there, page))
    fresh = [(uri, page.entries[at], at) for uri, at in wanted.items() if uri not in known]
    made = _photos(run, fresh)
    size = len(fresh) if run.is_default else EMBED_BATCH
    while some := list(islice(made, size)):
        _commit_new_photos(run, some, page)
    if skipped:
        batch = PhotoBatch(skipped=skipped)
        tell(run, store.commit(run.default, batch, reader=READER, is_gone=is_gone).committed)


def _commit_new_photos(run: ImportRun, made: list[tuple[Photo | Skipped, int]], page: Page) -> None:
    """Make items of photos in the default space, then give them their vector in another."""
    photos = {each.uri: (each, at) for each, at in made if isinstance(each, Photo)}
    batch, companion = PhotoBatch(skipped=[each for each, _ in made if isinstance(each, Skipped)]), None
    if run.is_default:
        hashed = with_hashes([photo for photo, _ in photos.values()])
        batch.photos = [(photo, page.rows[photos[photo.uri][1]]) for photo in hashed]
    elif photos:
        model = run.default_model()
        is_target = model.companion is not None and model.companion.id == run.space.id
        companion = None if is_target else model.companion
        hashed = with_hashes([photo for photo, _ in photos.values()])
        photos = {photo.uri: (photo, photos[photo.uri][1]) for photo in hashed}
        rows, batch.paired = model.photos(hashed)
        batch.photos = [(photo, rows[uri]) for uri, (photo, _) in photos.items() if uri in rows]
        batch.skipped += [Skipped(uri, NO_DIRECTION, lasting=False) for uri in photos if uri not in rows]
    written = run.parts.store.commit(run.default, batch, reader=READER, is_gone=is_gone, companion=companion)
    if not run.is_default:
        there = [(each.item_id, *photos[each.uri]) for each in written.committed if each.item_id is not None]
        known = [(item_id, photo.content_hash, photo.uri, at) for item_id, photo, at in there]
        fill_known(run, known, page)
    tell(run, written.committed)


def _photos(run: ImportRun, fresh: list[tuple[str, Entry, int]]) -> Iterator[tuple[Photo | Skipped, int]]:
    """Yield new photos as far as their files tell of them, and why others cannot be added."""
    if not fresh:
        return
    if run.is_default:
        view = _FACTS_ONLY
    elif (embedder := run.default_model().embedder) is not None:
        view = embedder.spec.view
    else:
        yield from ((Skipped(uri, run.default_model().refusal, lasting=False), at) for uri, _, at in fresh)
        return
    there, gone = list[tuple[str, Entry, int]](), list[tuple[str, Entry, int]]()
    for each in fresh:
        is_there = not is_address(each[0]) and os.path.lexists(path_of(each[0]))
        (there if is_there else gone).append(each)
    sidecars = Sidecars()
    requests = (
        PhotoRequest(uri, path, view, stamp=examine(path, sidecars).stamp, sidecars=sidecars.of(path))
        for path, uri in ((path_of(uri), uri) for uri, _, _ in there)
    )
    for read, (_, entry, at) in zip(run.parts.decoder.photos(requests), there, strict=True):
        if isinstance(read, Photo):
            yield replace(read, metadata={**entry.metadata, **read.metadata}), at
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
