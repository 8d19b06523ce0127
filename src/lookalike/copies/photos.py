"""The photos in question: each content once, with the items that have it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lookalike.copies.notes import Notes
from lookalike.engine.protocol import EngineItems
from lookalike.records import PHASH, Item
from lookalike.store.filters import Filter

_HASH = re.compile("[0-9a-f]{64}")
_AT_A_TIME = 1_000  # items that are looked up at once


@dataclass(frozen=True, slots=True)
class ContentItems:
    """One content, and the items that have it, by id."""

    content: bytes
    items: tuple[Item, ...]

    @property
    def first(self) -> Item:
        """The item that was added first."""
        return self.items[0]

    @property
    def sides(self) -> tuple[float, float]:
        """Width and height, the longer one 1."""
        width, height = (self.first.metadata.get(name) for name in ("width", "height"))
        if not isinstance(width, int) or not isinstance(height, int) or min(width, height) < 1:
            return 1.0, 1.0
        return width / max(width, height), height / max(width, height)

    @property
    def hash(self) -> bytes | None:
        """The perceptual hash that the items state, of 32 bytes; None where it was not made."""
        stated = self.first.metadata.get(PHASH)
        is_one = isinstance(stated, str) and _HASH.fullmatch(stated)
        return bytes.fromhex(str(stated)) if is_one else None


def by_content(
    items: EngineItems, filters: Sequence[Filter], is_wanted: Callable[[Item], bool] | None = None
) -> dict[bytes, ContentItems]:
    """Return the contents of the items that meet all conditions, in the order in which they were added."""
    found: dict[bytes, list[Item]] = {}
    for item in _every(items, filters):
        if is_wanted is None or is_wanted(item):
            found.setdefault(item.content_hash, []).append(item)
    return {content: ContentItems(content, tuple(each)) for content, each in found.items()}


def _every(items: EngineItems, filters: Sequence[Filter]) -> Iterator[Item]:
    if not filters:
        for page in items.pages():
            yield from page
        return
    ids = items.matching(filters).tolist()
    for at in range(0, len(ids), _AT_A_TIME):
        found = items.get(ids[at : at + _AT_A_TIME])
        yield from (found[each] for each in ids[at : at + _AT_A_TIME] if each in found)


def hashes_of(notes: Notes, photos: Mapping[int, ContentItems]) -> dict[int, bytes]:
    """Return the hashes of photos, by number, and of all that have one only among the notes."""
    own = {number: photo.hash for number, photo in photos.items()}
    return notes.hashes() | {number: each for number, each in own.items() if each is not None}
