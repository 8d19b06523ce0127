"""Which of several copies is the best one, and why."""

from __future__ import annotations

import math
from collections.abc import Collection

from lookalike.copies.photos import ContentItems
from lookalike.records import Item

Quality = tuple[bool, int, bool, bool, int, float, int]
"""What makes a photo the better one, the first that differs: no frame around another, pixels in steps of a
tenth, facts of the camera, not mirrored beside most others, how many it is linked to (the photo that edits
were made of is nearer to each than they are to each other), bytes, when it was added."""

_LOSSLESS = {"PNG", "BMP", "TIFF", "GIF", "PPM"}
_LESS_THAN_LOSSLESS = 3.0  # times fewer bytes that a good JPEG takes


def quality(photo: ContentItems, links: int, *, is_frame: bool, is_mirrored: bool) -> Quality:
    """Return how good a photo is beside its copies; more is better."""
    item = photo.first
    steps = round(math.log(max(1, _pixels(item)), 1.1))
    told = not is_frame, steps, _has_facts(item), not is_mirrored
    return *told, links, detail_bytes(item), -item.id


def detail_bytes(item: Item) -> float:
    """Return the bytes of a photo, as a JPEG of the same quality would take them."""
    is_lossless = item.metadata.get("format") in _LOSSLESS
    return item.stamp.size / _LESS_THAN_LOSSLESS if is_lossless else float(item.stamp.size)


def why_best(
    best: Item, others: Collection[Item], *, is_chosen: bool, is_frame_elsewhere: bool
) -> tuple[str, ...]:
    """Say what the best one has before the others; never nothing."""
    if is_chosen:
        return ("chosen by you",)
    reasons = []
    if is_frame_elsewhere:
        reasons.append("no frame around it")
    most = max((_pixels(each) for each in others), default=0)
    if _pixels(best) > 1.05 * most:
        reasons.append("most pixels")
    if _has_facts(best) and not all(map(_has_facts, others)):
        reasons.append("has the camera's facts")
    if not reasons and detail_bytes(best) > max(map(detail_bytes, others), default=0):
        reasons.append("least compressed")
    return tuple(reasons) or ("added first",)


def _pixels(item: Item) -> int:
    width, height = item.metadata.get("width", 0), item.metadata.get("height", 0)
    return int(width) * int(height) if isinstance(width, int) and isinstance(height, int) else 0


def _has_facts(item: Item) -> bool:
    return any(name in item.metadata for name in ("taken", "camera", "lens", "exposure"))
