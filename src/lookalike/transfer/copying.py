"""Copies a whole collection between a folder and Milvus, without reading or embedding a photo again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lookalike.engine.protocol import Engine
from lookalike.engine.writing import ItemStore
from lookalike.errors import DamagedError, UsageError
from lookalike.open_collection import OpenCollection
from lookalike.records import CopiedItem, Ids, Item, OnStep, Space
from lookalike.store.rows import encode_metadata

_PAGE = 500
"""Items that are read and written at a time."""


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy came to: how many `items` there are, of which so many were there already (`known`).

    `vectors` has the number of vectors of each space, which agree in number and checksum with those of the
    source. `notes` say what was left behind.
    """

    items: int
    known: int
    votes: int
    credits: int
    vectors: dict[str, int]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Side:
    """One collection of the two."""

    engine: Engine
    store: ItemStore
    name: str
    spaces: list[Space] = field(default_factory=list)


def copy_collection(source: OpenCollection, target: OpenCollection, on_step: OnStep) -> CopyReport:
    """Copy items, texts, vectors of all spaces, votes and credits; run again, it goes on where it stopped.

    Ids are kept, since votes and links name items by them. Raises `UsageError` where the target has other
    items, before anything is written, and `DamagedError` where the two do not agree in the end.
    """
    old = _Side(source.engine(), source.store(), str(source.path))
    old.spaces = old.engine.spaces()
    if not old.spaces or old.engine.items.is_empty():
        raise UsageError(f"{old.name} is empty: there is nothing to copy")
    total = old.engine.items.count()
    new = _Side(target.engine(create=True), target.store(create=True), str(target.path))
    _check_target(old, new)
    for space in sorted(old.spaces, key=lambda each: not each.is_default):
        facts = {"kind": space.kind, "reference": space.reference, "approximate": space.approximate}
        new.store.ensure_space(space.name, space.model_id, space.dim, **facts)  # type: ignore[arg-type]
    new.spaces = new.store.spaces()
    done = known = 0
    for items in old.engine.items.pages():
        for at in range(0, len(items), _PAGE):
            page = items[at : at + _PAGE]
            known += _copy_page(old, new, page)
            done += len(page)
            on_step("copying", done, total)
    votes, credits = _copy_books(old, new)
    new.store.checkpoint()
    target.engine().refresh_indexes()
    vectors = _compared(old, new, on_step)
    left = [f"{total - done:,} damaged items were left out"] if total > done else []
    left += (
        ["what was skipped is tried again by the next lookalike add"]
        if old.engine.items.count_skipped()
        else []
    )
    return CopyReport(done, known, votes, credits, vectors, tuple(left))


def _check_target(old: _Side, new: _Side) -> None:
    """Refuse a target with items that the source does not have under these ids."""
    spaces = new.engine.spaces()
    if not spaces or new.engine.items.is_empty():
        return
    for items in new.engine.items.pages():
        theirs = old.engine.items.get([item.id for item in items])
        other = next(
            (item for item in items if item.id not in theirs or _differs(item, theirs[item.id])), None
        )
        if other is not None:
            raise UsageError(
                f"{new.name} holds items that {old.name} does not have, such as {other.uri}: "
                "copy to a new one"
            )


def _differs(one: Item, other: Item) -> bool:
    return (one.uri, one.content_hash) != (other.uri, other.content_hash)


def _copy_page(old: _Side, new: _Side, page: Sequence[Item]) -> int:
    """Copy those of the items that are not there yet as they are; returns how many are."""
    ids = [item.id for item in page]
    there = new.engine.items.get(ids)
    pairs = [(space, _same(space, new.spaces)) for space in old.spaces]
    blocks = {space.id: old.engine.vectors(space).fetch(ids) for space, _ in pairs}
    rows: dict[int, dict[int, Any]] = {item_id: {} for item_id in ids}
    held: dict[int, set[int]] = {item_id: set() for item_id in ids}
    for space, theirs in pairs:
        for item_id, row in zip(blocks[space.id].ids.tolist(), blocks[space.id].rows, strict=True):
            rows[item_id][theirs.id] = row
        for item_id in new.engine.vectors(theirs).fetch(list(there)).ids.tolist() if there else ():
            held[item_id].add(theirs.id)
    wanted = [
        CopiedItem(item, old.store.texts.places(item.id) if item.places > 1 else [item.uri], rows[item.id])
        for item in page
        if there.get(item.id) != item or held[item.id] != set(rows[item.id])
    ]
    if wanted:
        new.store.put_copied(wanted)
    return len(page) - len(wanted)


def _same(space: Space, spaces: Sequence[Space]) -> Space:
    return next(each for each in spaces if each.name == space.name)


def _copy_books(old: _Side, new: _Side) -> tuple[int, int]:
    votes, credits = old.engine.votes.page(), list(old.engine.credits.all())
    new.store.put_copied_votes(votes)
    for credit in credits:
        new.engine.credits.put(credit)
    return len(votes), len(credits)


def _compared(old: _Side, new: _Side, on_step: OnStep) -> dict[str, int]:
    """Hold number and checksum of all items and vectors against each other; returns how many there are."""
    counts: dict[str, int] = {}
    parts = [("items", _item_digests(old.engine), _item_digests(new.engine))]
    parts += [
        (
            space.name,
            _vector_digests(old.engine, space),
            _vector_digests(new.engine, _same(space, new.spaces)),
        )
        for space in old.spaces
    ]
    for done, (name, ours, theirs) in enumerate(parts):
        on_step("comparing", done, len(parts))
        one, other = _summed(ours), _summed(theirs)
        if one != other:
            raise DamagedError(
                f"{old.name} and {new.name} differ in {name}: {one[0]:,} and {other[0]:,}; run it again"
            )
        if name != "items":
            counts[name] = one[0]
    return counts


def _item_digests(engine: Engine) -> Iterator[bytes]:
    for page in engine.items.pages():
        for item in page:
            facts = (item.id, item.uri, item.content_hash, item.stamp, encode_metadata(item.metadata))
            yield repr((*facts, item.text, item.places)).encode()


def _vector_digests(engine: Engine, space: Space) -> Iterator[bytes]:
    for block in engine.vectors(space).blocks():
        ids: Ids = block.ids
        for item_id, row in zip(ids.tolist(), block.rows, strict=True):
            yield b"%d " % item_id + np.ascontiguousarray(row, "<f4").tobytes()


def _summed(parts: Iterator[bytes]) -> tuple[int, str]:
    """Return how many there are and their sha256, in the order of their ids."""
    count, digest = 0, hashlib.sha256()
    for part in parts:
        count += 1
        digest.update(hashlib.sha256(part).digest())
    return count, digest.hexdigest()
