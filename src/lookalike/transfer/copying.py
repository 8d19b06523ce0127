"""Copies a whole collection between a folder and Milvus, without reading or embedding a photo again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.errors import DamagedError, UsageError
from lookalike.open_collection import OpenCollection
from lookalike.records import CopiedItem, Item, OnStep
from lookalike.transfer.comparing import Side, check_decisions, check_unchanged, counted, summed
from lookalike.transfer.left_out import LeftOut


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
    decisions: int
    vectors: dict[str, int]
    notes: tuple[str, ...] = ()


def copy_collection(source: OpenCollection, target: OpenCollection, on_step: OnStep) -> CopyReport:
    """Copy items, texts, vectors of all spaces and what people gave; run again, it goes on where it stopped.

    Ids are kept, since votes and links name items by them. Raises `UsageError` where the target has other
    items, before anything is written, and `DamagedError` where the two do not agree in the end. A target in
    which this has begun and not ended holds nothing else: there, items that the source has no more or has
    otherwise are removed. Items that cannot be copied are left out, and named in the notes.
    """
    old = Side(source.engine(), source.store(), str(source.path))
    old.spaces = old.engine.spaces()
    if not old.spaces or old.engine.items.is_empty():
        raise UsageError(f"{old.name} is empty: there is nothing to copy")
    old.store.check_served()
    before = counted(old)
    new = Side(target.engine(create=True), target.store(create=True), str(target.path))
    removed = _begin(old, new)
    for space in sorted(old.spaces, key=lambda each: not each.is_default):
        facts = {"kind": space.kind, "reference": space.reference, "approximate": space.approximate}
        new.store.ensure_space(space.name, space.model_id, space.dim, **facts)  # type: ignore[arg-type]
    new.spaces = new.store.spaces()
    left = LeftOut(old.name, in_folder=old.store.folder is not None)
    done = known = 0
    for ids in old.pages_of_ids():
        copied, there = _copy_page(old, new, ids, left)
        done, known = done + copied, known + there
        on_step("copying", done + len(left.ids), before["items"])
    given = _copy_given(old, new)
    new.store.checkpoint()
    target.engine().refresh_indexes()
    vectors = _compared(old, new, left, before, on_step)
    check_decisions(old, new)
    new.store.note_copy_source(None)
    notes = [*left.notes(), *_more_notes(old, new, removed)]
    return CopyReport(done, known, *given, vectors, tuple(notes))


def _begin(old: Side, new: Side) -> int:
    """Refuse a target with items that the source does not have under these ids, unless it is a copy begun.

    Notes that this is one now where it is empty. Returns how many items were removed from one.
    """
    was_begun = new.store.copy_source() == old.name
    if not new.engine.spaces() or new.engine.items.is_empty():
        new.store.check_served()
        new.store.note_copy_source(old.name)
        return 0
    others: list[int] = []
    for ids in new.pages_of_ids():
        found = _others(old, new, ids)
        if found and not was_begun:
            first = next(iter(found.values()))
            raise UsageError(
                f"{new.name} holds items that {old.name} does not have, such as {first}: copy to a new one"
            )
        others += found
    if others:
        old.store.check_served()  # what is not served just now is not gone
        new.engine.items.remove(others)
    if not was_begun:
        new.store.note_copy_source(None)  # if it was begun from elsewhere, it is not only that any more
    return len(others)


def _others(old: Side, new: Side, ids: list[int]) -> dict[int, str]:
    """Return uris by id of those of the target's items that the source does not have, or has otherwise."""
    ours, theirs = old.engine.items.get(ids), new.engine.items.get(ids)
    absent = [item_id for item_id in ids if item_id not in ours]
    damaged = set(old.engine.items.damaged(absent)) if absent else set()
    other = [item_id for item_id in absent if item_id not in damaged]
    other += [
        item_id for item_id, item in theirs.items() if item_id in ours and _differs(item, ours[item_id])
    ]
    return {each: theirs[each].uri if each in theirs else f"item {each}" for each in other}


def _differs(one: Item, other: Item) -> bool:
    return (one.uri, one.content_hash) != (other.uri, other.content_hash)


def _copy_page(old: Side, new: Side, ids: list[int], left: LeftOut) -> tuple[int, int]:
    """Copy those of the items that are not there yet as they are; returns how many are there, and were."""
    items = old.engine.items.get(ids)
    left.note_damaged(old.engine.items.damaged([each for each in ids if each not in items]))
    rows = _vectors(old, new, items, left)
    items = {item_id: item for item_id, item in items.items() if item_id not in left.ids}
    there = new.engine.items.get(list(items))
    held = _held(new, list(there))
    wanted = []
    for item in items.values():
        places = _places(old, item)
        is_same = there.get(item.id) == item and _are_same(rows[item.id], held[item.id])
        if not is_same or (item.places > 1 and places != _places(new, item)):
            wanted.append(CopiedItem(item, places, rows[item.id]))
    replaced = [each.item.id for each in wanted if each.item.id in there]
    if replaced:
        new.engine.items.remove(replaced)  # with places and vectors that they have no more
    refused = new.store.put_copied(wanted) if wanted else {}
    left.note_refused(refused, items)
    return len(items) - len(refused), len(items) - len(wanted)


def _vectors(
    old: Side, new: Side, items: Mapping[int, Item], left: LeftOut
) -> dict[int, dict[int, npt.NDArray[np.float32]]]:
    """Return the vectors of items by number of the target's space, and note what is damaged or missing."""
    found: dict[int, dict[int, npt.NDArray[np.float32]]] = {item_id: {} for item_id in items}
    for space in old.spaces:
        theirs = new.same(space)
        block = old.engine.vectors(space).fetch(list(items))
        for item_id, row in zip(block.ids.tolist(), block.rows, strict=True):
            found[item_id][theirs.id] = row
        if space.is_default or theirs.is_default:
            left.note_without(space, [item for item in items.values() if theirs.id not in found[item.id]])
        else:
            left.note_vectors(space, [items[item_id] for item_id in block.damaged])
    return found


def _held(new: Side, ids: list[int]) -> dict[int, dict[int, npt.NDArray[np.float32]]]:
    """Return the vectors that items have in the target, by number of the space."""
    held: dict[int, dict[int, npt.NDArray[np.float32]]] = {item_id: {} for item_id in ids}
    for space in new.spaces if ids else ():
        block = new.engine.vectors(space).fetch(ids)
        for item_id, row in zip(block.ids.tolist(), block.rows, strict=True):
            held[item_id][space.id] = row
    return held


def _are_same(
    one: Mapping[int, npt.NDArray[np.float32]], other: Mapping[int, npt.NDArray[np.float32]]
) -> bool:
    """Whether two items have the same vectors, but in spaces that only the second one has."""
    return all(number in other and np.array_equal(row, other[number]) for number, row in one.items())


def _places(side: Side, item: Item) -> list[str]:
    return side.store.texts.places(item.id) if item.places > 1 else [item.uri]


def _copy_given(old: Side, new: Side) -> tuple[int, int, int]:
    """Copy votes, credits and decisions; returns how many there are of each."""
    votes, credits = old.engine.votes.page(), list(old.engine.credits.all())
    decisions = list(old.engine.decisions.all())
    new.store.put_copied_votes(votes)
    for credit in credits:
        new.engine.credits.put(credit)
    new.engine.decisions.put(decisions)
    return len(votes), len(credits), len(decisions)


def _compared(old: Side, new: Side, left: LeftOut, before: dict[str, int], on_step: OnStep) -> dict[str, int]:
    """Hold number and checksum of all items and vectors against each other; returns how many there are."""
    on_step("comparing", 0, 2)
    ours = summed(old, old.spaces, left.ids)
    check_unchanged(old, before, ours)
    on_step("comparing", 1, 2)
    theirs = summed(new, [new.same(space) for space in old.spaces], left.ids)
    for name, one in ours.items():
        other = theirs[name]
        if (one.count, one.digest) != (other.count, other.digest):
            raise DamagedError(
                f"{old.name} and {new.name} differ in {name}: {one.count:,} and {other.count:,}; run it again"
            )
    return {space.name: ours[f"vectors by {space.name}"].count for space in old.spaces}


def _more_notes(old: Side, new: Side, removed: int) -> list[str]:
    """Say what else the user may want to know."""
    notes = []
    if removed:
        one = "1 item" if removed == 1 else f"{removed:,} items"
        notes.append(f"{one} of the copy that had begun in {new.name} had changed or gone since")
    if old.engine.items.count_skipped():
        notes.append("what was skipped is tried again by the next lookalike add")
    return notes
