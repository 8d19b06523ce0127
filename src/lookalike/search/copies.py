"""Which hits are near copies of better ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lookalike.embed.known import LONGEST_WORD, UNREAD, KnownShares, all_known
from lookalike.records import Hit, Vectors

NEAR_COPY = 0.9
"""From this score on two photos are taken for versions of the same one: no two Caltech-101 photos of
different classes come as near (`bench/background.py`)."""

_COMPARED = 1_000  # best hits that others may be copies of: with all, deep pages would cost too much


def mark_copies(hits: list[Hit], rows: Vectors, known_shares: KnownShares = all_known) -> list[Hit]:
    """Name for each hit the best one, itself no copy, that it is a near copy of; `rows` `(hits, dim)`.

    Texts of which the model knows hardly anything have vectors that are near for that reason alone: they are
    copies of nothing. `known_shares` is asked about texts that are near another and beyond ASCII.
    """
    near = np.tril(rows @ rows[:_COMPARED].T >= NEAR_COPY, -1)
    unread = _unread(hits, near, known_shares)
    near[unread] = False
    near[:, unread[unread < near.shape[1]]] = False
    firsts = np.ones(near.shape[1], bool)
    marked = list(hits)
    for at in np.flatnonzero(near.any(axis=1)):  # mostly few
        originals = np.flatnonzero(near[at] & firsts)
        if len(originals):
            firsts[at : at + 1] = False
            marked[at] = replace(hits[at], copy_of=hits[originals[0]].id)
    return marked


def _unread(hits: list[Hit], near: npt.NDArray[np.bool_], known_shares: KnownShares) -> npt.NDArray[np.int64]:
    """Return the places of texts near others of which the model knows hardly anything."""
    places = {*np.flatnonzero(near.any(axis=1)).tolist(), *np.flatnonzero(near.any(axis=0)).tolist()}
    doubtful = [at for at in sorted(places) if not _is_sure(hits[at].text)]
    if not doubtful:
        return np.empty(0, np.int64)
    shares = known_shares([hits[at].text or "" for at in doubtful])
    return np.array([at for at, share in zip(doubtful, shares, strict=True) if share < UNREAD], np.int64)


def _is_sure(text: str | None) -> bool:
    """Whether there is nothing in a hit that a model may not know."""
    return text is None or (text.isascii() and max(map(len, text.split()), default=0) <= LONGEST_WORD)
