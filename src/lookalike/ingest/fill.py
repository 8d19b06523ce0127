"""Fills a further space of a collection: items that have no vector in it are read again and embedded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from lookalike.decode.pool import DecodePool
from lookalike.embedders import Embedder, TextEmbedder
from lookalike.embedders.vectors import have_direction
from lookalike.engine.writing import ItemStore
from lookalike.ingest.batches import BATCH, embed_photos
from lookalike.ingest.contents import decoded
from lookalike.records import Item, OnStep, Photo, Space, Vectors
from lookalike.store.commit import FilledVector
from lookalike.store.scan import FileToRead

_PAGE = 1_000  # items looked up at a time


@dataclass(frozen=True, slots=True)
class FillContext:
    """The parts that filling a space needs; `on_step("filling NAME", done, total)` hears of progress.

    `companion` is filled at the same time where the embedder is a `PairedEmbedder`.
    """

    store: ItemStore
    space: Space
    decoder: DecodePool
    embedder: Embedder
    on_step: OnStep
    companion: Space | None = None


def fill_photos(parts: FillContext) -> int:
    """Embed the items that have no vector in the space; returns how many could not be.

    Those are items whose file is gone, cannot be read or holds something else by now: they keep what they
    have in other spaces. What was committed stays, whenever this is interrupted.
    """
    total = parts.store.vectors(parts.space).count_missing()
    done = filled = 0
    for items, photos in _decoded(parts):
        sound = [
            (item, photo)
            for item, photo in zip(items, photos, strict=True)
            if isinstance(photo, Photo) and photo.content_hash == item.content_hash
        ]
        if sound:
            filled += _embed(parts, sound)
        done += len(items)
        parts.on_step(f"filling {parts.space.name}", done, total)
    return total - filled


def _decoded(parts: FillContext) -> Iterator[tuple[list[Item], list[object]]]:
    """Yield items and what was read of each, a batch at a time, decoded ahead by the workers."""
    asked: list[Item] = []

    def files() -> Iterator[FileToRead]:
        for item in _missing(parts):
            asked.append(item)
            yield FileToRead(item.uri, item.stamp, ())

    answers = decoded(parts.decoder, files(), parts.embedder.spec.view)
    while photos := list(islice(answers, BATCH)):
        items, asked[: len(photos)] = asked[: len(photos)], []
        yield items, list(photos)


def _missing(parts: FillContext) -> Iterator[Item]:
    """Yield the sound items that have no vector in the space, by id."""
    after, vectors = 0, parts.store.vectors(parts.space)
    while len(ids := vectors.missing(after, _PAGE)):
        items = parts.store.items.get(ids.tolist())
        yield from (items[item_id] for item_id in ids.tolist() if item_id in items)
        after = int(ids[-1])


def _embed(parts: FillContext, sound: list[tuple[Item, Photo]]) -> int:
    """Embed photos and commit their vectors; returns how many were still wanted."""
    pixels = np.stack([photo.pixels for _, photo in sound if photo.pixels is not None])
    rows, paired = embed_photos(parts.embedder, pixels, with_companion=parts.companion is not None)
    if parts.companion is not None and len(paired):
        parts.store.fill(parts.companion, _filled(sound, paired))
    return parts.store.fill(parts.space, _filled(sound, rows))


def _filled(sound: list[tuple[Item, Photo]], rows: Vectors) -> list[FilledVector]:
    found = zip(sound, rows, have_direction(rows), strict=True)
    return [FilledVector(item.id, item.content_hash, row) for (item, _), row, has in found if has]


def fill_texts(store: ItemStore, space: Space, embedder: TextEmbedder, on_step: OnStep) -> int:
    """Embed the texts that have no vector in the space; returns how many could not be.

    Those are damaged, or the model gives them no direction.
    """
    vectors = store.vectors(space)
    total = vectors.count_missing()
    done = filled = after = 0
    while len(ids := vectors.missing(after, _PAGE)):
        items = [item for item in store.items.get(ids.tolist()).values() if item.text is not None]
        if items:
            rows = embedder.embed_texts([item.text or "" for item in items])
            found = zip(items, rows, have_direction(rows), strict=True)
            sound = [FilledVector(item.id, item.content_hash, row) for item, row, has in found if has]
            filled += store.fill(space, sound)
        after = int(ids[-1])
        done += len(ids)
        on_step(f"filling {space.name}", done, total)
    return total - filled
