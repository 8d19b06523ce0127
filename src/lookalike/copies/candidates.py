"""Which photos may be copies of others, by their vectors: those most like them or like their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lookalike.copies.pictures import unpacked
from lookalike.engine.protocol import Engine
from lookalike.records import Space, Vectors
from lookalike.search.ways import PARTS

_NEAREST = 10  # of a whole photo
_NEAREST_OF_PART = 4
_MOST_EQUAL = 300  # items of contents that are there already, which may stand before others
_PARTS_AT_ONCE = 8_192  # photos whose parts are held against new photos


class LikelyCopies:
    """Asks an engine for likely copies; `number_of` tells photos by the ids of their items."""

    def __init__(self, engine: Engine, space: Space, number_of: Mapping[int, int]) -> None:
        self._engine, self._space, self._number_of = engine, space, number_of
        self._equal = min(_MOST_EQUAL, len(number_of) - len(set(number_of.values())))

    def of(self, photos: Mapping[int, int], parts: Mapping[int, Vectors]) -> dict[int, set[int]]:
        """Return the numbers of likely copies of photos, given as number and the id of one of their items.

        `parts` are the vectors `(4, dim)` of those that have them.
        """
        block = self._engine.vectors(self._space).fetch(list(photos.values()))
        rows = dict(zip(block.ids.tolist(), block.rows, strict=True))
        asked = [(number, rows[item_id]) for number, item_id in photos.items() if item_id in rows]
        found: dict[int, set[int]] = {number: set() for number in photos}
        self._ask(asked, _NEAREST, found)
        of_parts = [(number, row) for number, each in parts.items() for row in each]
        self._ask(of_parts, _NEAREST_OF_PART, found)
        return found

    def _ask(self, asked: Sequence[tuple[int, Vectors]], k: int, found: dict[int, set[int]]) -> None:
        """Add the `k` nearest of each row but the photo itself, whatever number of items it has."""
        if not asked:
            return
        rows = np.stack([row for _, row in asked])
        candidates = self._engine.nearest(self._space, rows, k + 1 + self._equal)
        wanted = np.unique(np.concatenate(candidates.ids))
        block = self._engine.vectors(self._space).fetch(wanted.tolist())
        for (number, row), ids in zip(asked, candidates.ids, strict=True):
            places = np.searchsorted(block.ids, ids)
            places = places[(places < len(block.ids))]
            places = places[np.isin(block.ids[places], ids)]
            best = places[np.argsort(-(block.rows[places] @ row), kind="stable")]
            others: dict[int, None] = {}
            for item_id in block.ids[best].tolist():
                other = self._number_of.get(item_id)
                if other is not None and other != number:
                    others.setdefault(other)
                if len(others) == k:
                    break
            found[number].update(others)


def likely_wholes(
    new: Sequence[int], rows: Vectors, kept: Sequence[tuple[int, bytes]]
) -> dict[int, set[int]]:
    """Return for new photos, by their vectors `(n, dim)`, those whose parts `kept` look most like them."""
    found: dict[int, set[int]] = {number: set() for number in new}
    best = np.full((len(new), _NEAREST_OF_PART), -1.0, np.float32)
    numbers = np.full(best.shape, -1, np.int64)
    for begin in range(0, len(kept), _PARTS_AT_ONCE):
        some = kept[begin : begin + _PARTS_AT_ONCE]
        parts = np.concatenate([unpacked(each) for _, each in some])
        if parts.shape[1] != rows.shape[1]:
            continue
        scores = (rows @ parts.T).reshape(len(new), len(some), len(PARTS)).max(axis=2)
        owners = np.broadcast_to(np.array([number for number, _ in some]), scores.shape)
        both, names = np.hstack([best, scores]), np.hstack([numbers, owners])
        order = np.argsort(-both, axis=1, kind="stable")[:, :_NEAREST_OF_PART]
        best, numbers = np.take_along_axis(both, order, 1), np.take_along_axis(names, order, 1)
    for number, others in zip(new, numbers.tolist(), strict=True):
        found[number].update(other for other in others if other >= 0 and other != number)
    return found
