"""How well pairs that a method took for the same photo agree with a truth about copies."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from copy_edits import EDITS
from copy_truth import Entry, Truth

Pairs = npt.NDArray[np.int64]
"""`(n, 2)`: each row the places of two files in `truth.entries`, the lower first; each pair once."""


def as_pairs(rows: npt.ArrayLike) -> Pairs:
    """Return pairs in the order of `Pairs`, each once, without those of a file and itself."""
    pairs = np.sort(np.asarray(rows, np.int64).reshape(-1, 2), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def score(truth: Truth, pairs: Pairs, half: int | None = None) -> dict[str, Any]:
    """Return recall by edit, precision, and the number of false pairs by what they are counted as.

    Of one half only pairs count of which both files are of it. `precision` is over all pairs, edits among
    each other as well; `precision_of_sources` over those of which one at least is a source.
    """
    if half is not None:
        halves = np.array([entry.half for entry in truth.entries])
        pairs = pairs[(halves[pairs] == half).all(axis=1)]
    asked = Counter(edit.name for _, edit in truth.asked() if half in (None, edit.half))
    found: Counter[str] = Counter()
    false: Counter[str] = Counter()
    right, wrong = np.zeros(2, int), np.zeros(2, int)  # over all pairs, over those with a source
    for one, other, count in _classes(truth, pairs):
        relation = truth.relation(one, other)
        counted = np.array([count, count if "source" in (one.kind, other.kind) else 0])
        if relation.verdict == "copy":
            right += counted
            found[relation.name] += count
        elif relation.verdict == "other":
            wrong += counted
            false[relation.name] += count
    precision, of_sources = (right / np.maximum(right + wrong, 1)).tolist()
    return {
        "recall": {name: found[name] / asked[name] for name in EDITS if asked[name]},
        "asked": {name: asked[name] for name in EDITS if asked[name]},
        "precision": precision,
        "precision_of_sources": of_sources,
        "right": int(right[0]),
        "wrong": int(wrong[0]),
        "false": dict(sorted(false.items())),
    }


def negatives(truth: Truth, half: int | None = None) -> dict[str, int]:
    """Return how many pairs there are of each kind of second shot, and of pictures of one layout."""
    entries = [entry for entry in truth.entries if half in (None, entry.half)]
    shots = Counter(entry.name for entry in entries if entry.kind == "shot")
    layouts = Counter(f"layout: {entry.name}" for entry in entries if entry.kind == "layout")
    return dict(shots) | {name: count * (count - 1) // 2 for name, count in layouts.items()}


def _classes(truth: Truth, pairs: Pairs) -> list[tuple[Entry, Entry, int]]:
    """Return one pair of each class that the truth treats alike, and how many there are of it.

    Two pairs are of one class if their files are of the same kinds and names, and are of one photo, of known
    copies, or neither.
    """
    if not len(pairs):
        return []
    entries = truth.entries
    _, sorts = np.unique([f"{entry.kind} {entry.name}" for entry in entries], return_inverse=True)
    photos, origins = np.unique([entry.origin for entry in entries], return_inverse=True)
    at = {photo: place for place, photo in enumerate(photos.tolist())}
    known = [sorted(at[photo] for photo in pair) for pair in truth.known if pair <= at.keys()]
    of = np.sort(origins[pairs], axis=1)
    nearness = (of[:, 0] == of[:, 1]).astype(int)
    nearness[np.isin(of @ [len(photos), 1], [low * len(photos) + high for low, high in known])] = 2
    codes = (sorts[pairs[:, 0]] * (sorts.max() + 1) + sorts[pairs[:, 1]]) * 3 + nearness
    _, firsts, counts = np.unique(codes, return_index=True, return_counts=True)
    return [
        (entries[pairs[first, 0]], entries[pairs[first, 1]], int(count))
        for first, count in zip(firsts, counts, strict=True)
    ]
