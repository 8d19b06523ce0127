"""Which of several copies is the best one, and why."""

from __future__ import annotations

import math
from collections.abc import Collection

from lookalike.copies.photos import ContentItems
from lookalike.records import Item

Quality = tuple[bool, int, bool, int, int]
"""What makes a photo the better one, the first that differs: no frame around another, pixels in steps of a
tenth, facts of the camera, bytes, when it was added."""


def quality(photo: ContentItems, *, is_frame: bool) -> Quality:
    """Return how good a photo is beside its copies; more is better."""
    item = photo.first
    steps = round(math.log(max(1, _pixels(item)), 1.1))
    return not is_frame, steps, _has_facts(item), item.stamp.size, -item.id


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
    if best.stamp.size > max((each.stamp.size for each in others), default=0) and not reasons:
        reasons.append("least compressed")
    return tuple(reasons) or ("added first",)


def _pixels(item: Item) -> int:
    width, height = item.metadata.get("width", 0), item.metadata.get("height", 0)
    return int(width) * int(height) if isinstance(width, int) and isinstance(height, int) else 0


def _has_facts(item: Item) -> bool:
    return any(name in item.metadata for name in ("taken", "camera", "lens", "exposure"))
