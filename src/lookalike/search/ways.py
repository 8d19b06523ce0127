"""A photo any way up: turned, mirrored, cut out of a larger one, or the one that a part was cut out of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.errors import UsageError
from lookalike.records import Box, View
from lookalike.search.queries import QueryContext, ResolvedQuery, photo_embedder, shown_photos
from lookalike.search.scoring import Scored

PARTS = tuple(Box(left, top, 0.6, 0.6) for top in (0.0, 0.4) for left in (0.0, 0.4))
"""The parts of a photo that are looked for among the others: what is cut out of it is like one of them."""

_CUT_OUT = 0.6  # share of each side that a photo may be of what it was cut out of

_Pixels = npt.NDArray[np.uint8]


def ways_of(context: QueryContext, query: ResolvedQuery) -> list[ResolvedQuery]:
    """Return a query of one photo as it is and in other ways: 7 turns, 4 parts, and with surroundings.

    What was cut out of a photo lacks what was around it: its own mirror images stand for that. Raises
    `UsageError` for a query of anything else.
    """
    example, *others = query.query
    if others or example.weight < 0 or not isinstance(example.source, Path | bytes | int):
        raise UsageError("any way up is asked for one photo or one item, not for words, vectors or several")
    embedder = photo_embedder(context)
    asked = [example, *(replace(example, box=_within(example.box, part)) for part in PARTS)]
    whole, *parts = (photo.pixels for photo in shown_photos(context, asked))
    assert whole is not None  # what is known is asked for, too
    view = embedder.spec.view
    turns = [(times, is_mirrored) for is_mirrored in (False, True) for times in range(4)][1:]
    squares = [_each(whole, view, _turn(times, is_mirrored)) for times, is_mirrored in turns]
    squares += [part for part in parts if part is not None]
    squares.append(_each(whole, view, _surrounded))
    return [query, *(replace(query, row=row) for row in embedder.embed(np.stack(squares)))]


def best_of_ways(ways: Sequence[Scored]) -> Scored:
    """Return the items that were found in any way, each with its best score."""
    counts = [min(len(one.ids), len(one.places)) for one in ways]
    ids = np.concatenate([one.ids[:count] for one, count in zip(ways, counts, strict=True)])
    scores = np.concatenate([one.scores[:count] for one, count in zip(ways, counts, strict=True)])
    vectors = np.concatenate([one.rows(count) for one, count in zip(ways, counts, strict=True)])
    order = np.lexsort((ids, -scores))
    _, firsts = np.unique(ids[order], return_index=True)
    order = order[np.sort(firsts)]
    damaged = frozenset[int]().union(*(one.damaged for one in ways))
    return replace(
        ways[0],
        ids=ids[order],
        scores=scores[order],
        vectors=vectors[order],
        places=np.arange(len(order)),
        damaged=damaged,
    )


def _within(box: Box | None, part: Box) -> Box:
    """Return a part of a part of a photo."""
    if box is None:
        return part
    left, top = box.left + part.left * box.width, box.top + part.top * box.height
    return Box(left, top, part.width * box.width, part.height * box.height)


def _each(pixels: _Pixels, view: View, change: Callable[[_Pixels], _Pixels]) -> _Pixels:
    """Return what a model sees of a photo with each of its squares changed."""
    made, top = pixels.copy(), 0
    for each in (view, *view.below):
        square = (slice(top, top + each.size), slice(each.size))
        made[square] = change(pixels[square])
        top += each.size
    return made


def _turn(times: int, is_mirrored: bool) -> Callable[[_Pixels], _Pixels]:
    def change(square: _Pixels) -> _Pixels:
        return np.rot90(square[:, ::-1] if is_mirrored else square, times)

    return change


def _surrounded(square: _Pixels) -> _Pixels:
    """Return a square as if it were the middle of a larger one."""
    from PIL import Image  # other searches do without

    side = len(square)
    around = round(side * (1 / _CUT_OUT - 1) / 2)
    larger = np.pad(square, ((around, around), (around, around), (0, 0)), mode="reflect")
    return np.asarray(Image.fromarray(larger).resize((side, side), Image.Resampling.BICUBIC))
