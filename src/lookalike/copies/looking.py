"""A close look at photos: pictures → features → likely copies → compared. `look_closely` names the steps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import numpy as np

from lookalike.copies.candidates import LikelyCopies, likely_wholes
from lookalike.copies.grouping import Pair, pair_of
from lookalike.copies.near import near_pairs
from lookalike.copies.notes import FoundMatch, Notes, PhotoNotes
from lookalike.copies.photos import ContentItems, hashes_of
from lookalike.copies.pictures import PictureReader, packed, unpacked
from lookalike.cores import cpu_count
from lookalike.engine.protocol import Engine
from lookalike.matching.features import Features
from lookalike.matching.margins import frame
from lookalike.matching.verify import Looked, compare_many
from lookalike.records import OnStep, Skipped, Space

_AT_A_TIME = 64  # photos that are read or compared between two notes
_MOST_HELD = 400  # photos ready to be compared, half a megabyte each


@dataclass(frozen=True, slots=True)
class LookingParts:
    """What a close look needs; without `space`, only hashes tell which photos may be copies."""

    engine: Engine
    space: Space | None
    reader: PictureReader
    notes: Notes
    on_step: OnStep


def look_closely(parts: LookingParts, photos: Sequence[ContentItems], *, are_all: bool) -> list[Skipped]:
    """Compare all photos with those that they may be copies of, as far as that was not done.

    What is found is noted as it goes on: whatever ends it, it goes on from there. Only where these `are_all`
    photos of the collection are they done with. Returns what cannot be read.
    """
    parts.notes.forget_damaged_pairs()
    numbers = parts.notes.numbers([each.content for each in photos])
    if parts.space is not None:
        parts.notes.keep_parts_of(parts.space.model_id)
    done = parts.notes.compared()
    new = {numbers[each.content]: each for each in photos if numbers[each.content] not in done}
    skipped = _read(parts, new)
    hold_hashes(parts.notes, photos, parts.on_step)
    _compare_all(parts, photos, numbers, new, are_all=are_all)
    return skipped


def hold_hashes(notes: Notes, photos: Sequence[ContentItems], on_step: OnStep) -> None:
    """Hold the hashes of new photos against those of all others, and note those that are near."""
    numbers = notes.numbers([each.content for each in photos])
    hashes = hashes_of(notes, {numbers[each.content]: each for each in photos})
    new = set(hashes) - notes.hashed()
    if new:
        notes.put_near(near_pairs(hashes, new, on_step), new)


def _read(parts: LookingParts, new: Mapping[int, ContentItems]) -> list[Skipped]:
    """Read the pictures of new photos, and note their features and the vectors of their parts."""
    known = parts.notes.with_features()
    missing = [(number, photo) for number, photo in new.items() if number not in known]
    skipped = []
    for begin in range(0, len(missing), _AT_A_TIME):
        parts.on_step("looking closely", begin, len(missing))
        block = missing[begin : begin + _AT_A_TIME]
        notes, vectors = dict[int, PhotoNotes](), dict[int, bytes]()
        read = parts.reader.read([photo.first for _, photo in block])
        for (number, _), picture in zip(block, read, strict=True):
            if isinstance(picture, Skipped):
                skipped.append(picture)
                continue
            notes[number] = PhotoNotes(picture.hash, picture.features.to_bytes())
            if picture.parts is not None:
                vectors[number] = packed(picture.parts)
        parts.notes.put_photos(notes, vectors)
    return skipped


def _compare_all(
    parts: LookingParts,
    photos: Sequence[ContentItems],
    numbers: Mapping[bytes, int],
    new: Mapping[int, ContentItems],
    *,
    are_all: bool,
) -> None:
    """Compare new photos with all that they may be copies of, and note what comes of it."""
    readable = parts.notes.with_features()
    waiting = [number for number in new if number in readable]
    if not waiting:
        return
    number_of = {item.id: numbers[photo.content] for photo in photos for item in photo.items}
    hashes = hashes_of(parts.notes, {numbers[each.content]: each for each in photos})
    near = _near_by_photo(parts.notes, readable)
    shelf = Shelf(parts.notes, hashes)
    before = [each for each in parts.notes.parts() if each[0] not in new]
    with _comparing() as threads:
        for begin in range(0, len(waiting), _AT_A_TIME):
            parts.on_step("comparing", begin, len(waiting))
            block = waiting[begin : begin + _AT_A_TIME]
            likely = _likely(parts, {number: new[number].first.id for number in block}, number_of, before)
            pairs = set[Pair]()
            for number in block:
                others = (likely.get(number, set()) | near.get(number, set())) & readable
                others -= parts.notes.pairs_of(number)
                pairs |= {pair_of(number, other) for other in others if other != number}
            found = dict(_compare(shelf, sorted(pairs), threads))
            sound = [number for number in block if number not in shelf.damaged]
            parts.notes.put_pairs(found, sound if are_all else ())


def _likely(
    parts: LookingParts,
    photos: Mapping[int, int],
    number_of: Mapping[int, int],
    before: Sequence[tuple[int, bytes]],
) -> dict[int, set[int]]:
    """Return which photos may be copies, as their vectors tell; `before` are vectors of parts of others."""
    if parts.space is None:
        return {}
    kept = {number: unpacked(each) for number, each in parts.notes.parts_of(list(photos)).items()}
    found = LikelyCopies(parts.engine, parts.space, number_of).of(photos, kept)
    if before:
        block = parts.engine.vectors(parts.space).fetch(list(photos.values()))
        own = {item_id: number for number, item_id in photos.items()}
        wholes = likely_wholes([own[each] for each in block.ids.tolist()], block.rows, before)
        for number, others in wholes.items():
            found[number] |= others
    return found


def _near_by_photo(notes: Notes, readable: set[int]) -> dict[int, set[int]]:
    near: dict[int, set[int]] = {}
    for first, second, _, _ in notes.near():
        if first in readable and second in readable:
            near.setdefault(first, set()).add(second)
            near.setdefault(second, set()).add(first)
    return near


class Shelf:
    """Photos ready to be compared, those used last at hand; may be used by several threads."""

    def __init__(self, notes: Notes, hashes: Mapping[int, bytes]) -> None:
        self._notes, self._hashes = notes, hashes
        self._held: OrderedDict[int, Looked] = OrderedDict()
        self._lock = Lock()
        self.damaged: set[int] = set()
        """Photos whose features are not what was noted; they are read again another time."""

    def get(self, number: int) -> Looked | None:
        """Return a photo; None where what was noted of it is damaged."""
        with self._lock:
            if number in self._held:
                self._held.move_to_end(number)
                return self._held[number]
        kept = self._notes.photo(number).features
        if kept is None:
            self.damaged.add(number)
            self._notes.forget_photo(number)
            return None
        told = self._hashes.get(number)
        bits = np.frombuffer(told, np.uint8)[None] if told else None
        looked = Looked.of(Features.from_bytes(kept), bits)
        with self._lock:
            self._held[number] = looked
            while len(self._held) > _MOST_HELD:
                self._held.popitem(last=False)
        return looked


def compare_pairs(shelf: Shelf, pairs: Sequence[Pair]) -> dict[Pair, FoundMatch | None]:
    """Return what comes of comparing pairs of photos whose features are kept, of those that are sound."""
    with _comparing() as threads:
        return dict(_compare(shelf, pairs, threads))


@contextmanager
def _comparing() -> Iterator[ThreadPoolExecutor]:
    """Give a thread to each processor, and leave none to the matrix products of each.

    OpenBLAS' own threads would wait for each other far longer than they work.
    """
    from threadpoolctl import threadpool_limits  # an extra, with OpenCV

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cpu_count(), "comparing") as threads:
        yield threads


def _compare(
    shelf: Shelf, pairs: Sequence[Pair], threads: ThreadPoolExecutor
) -> Iterator[tuple[Pair, FoundMatch | None]]:
    beside: dict[int, list[int]] = {}
    for first, second in pairs:
        beside.setdefault(first, []).append(second)
    compared = threads.map(lambda each: _compared(shelf, *each), beside.items())
    for first, found in zip(beside, compared, strict=True):
        yield from (((first, second), each) for second, each in found)


def _compared(shelf: Shelf, first: int, others: Sequence[int]) -> list[tuple[int, FoundMatch | None]]:
    """Compare a photo with others; those of which what was noted is damaged are left out."""
    one = shelf.get(first)
    if one is None:
        return []
    looked = [(number, other) for number in others if (other := shelf.get(number)) is not None]
    matches = compare_many(one, [other for _, other in looked])
    return [
        (number, None if match is None else FoundMatch(match, frame(one.features, other.features, match)))
        for (number, other), match in zip(looked, matches, strict=True)
    ]
