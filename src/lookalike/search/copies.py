"""Which hits are near copies of better ones."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lookalike.embedders import COMPANION
from lookalike.embedders.known import LONGEST_WORD, UNREAD, KnownShares, all_known
from lookalike.engine.protocol import Engine
from lookalike.matching.hashes import ALIKE_BITS, HASH_BYTES
from lookalike.records import PHASH, Hit, Ids, Space, Vectors
from lookalike.search.products import products_of

NEAR_COPY = 0.9
"""From this score on two texts are taken for versions of the same one."""

NEAR_COPY_OF_PHOTO = 0.92
"""From this score on two photos are taken for copies whose perceptual hashes say so, too. Measured
(`python bench/background.py copies`). What is missed shows as a hit; what is marked falsely would not
show."""

SAME_PHOTO = 0.96
"""From this score on two photos are taken for copies where one has no hash, as what older versions read."""

_HASH = re.compile("[0-9a-f]{64}")  # as versions before made it, it had 16
_ONES = np.array([number.bit_count() for number in range(256)], np.uint8)
_BLOCK = 256  # hits whose pairs are looked at together
_COMPARED = 1_000  # best hits that others may be copies of: with all, deep pages would cost too much


def space_of_copies(engine: Engine, searched: Space) -> Space | None:
    """Return the space whose scores tell copies among what `searched` found; None where none can.

    Photos need one that was made of what they look like: words put all photos of one kind at one place, and
    vectors that were decoded from a lossy index have fallen together.
    """
    if searched.kind == "text":
        return searched
    looks = [
        each for each in engine.spaces() if not each.reference.startswith(COMPANION) and not each.approximate
    ]
    return next((each for each in looks if each.is_default), looks[0] if looks else None)


def rows_of(engine: Engine, space: Space, ids: Ids) -> Vectors:
    """Return the vectors `(n, dim)` of items in the order of `ids`; zeros for those that have none."""
    block = engine.vectors(space).fetch(ids.tolist())
    rows = np.zeros((len(ids), space.dim), np.float32)
    places = {item_id: at for at, item_id in enumerate(ids.tolist())}
    rows[[places[each] for each in block.ids.tolist()]] = block.rows
    return rows


def mark_copies(hits: list[Hit], rows: Vectors, known_shares: KnownShares = all_known) -> list[Hit]:
    """Name for each hit the best one, itself no copy, that it is a near copy of.

    `rows` `(hits, dim)` are of `space_of_copies`. Texts of which the model knows hardly anything have vectors
    that are near for that reason alone: they are copies of nothing. `known_shares` is asked about texts that
    are near another and beyond ASCII.
    """
    few = len(rows) <= _COMPARED
    scores = np.tril(products_of(rows) if few else rows @ rows[:_COMPARED].T, -1)
    near = scores >= NEAR_COPY
    if all(hit.text is None for hit in hits):
        _keep_alike(hits, near, scores)
    unread = _unread(hits, near, known_shares)
    near[unread] = False
    near[:, unread[unread < near.shape[1]]] = False
    firsts = np.ones(near.shape[1], bool)
    marked = list(hits)
    for at in np.flatnonzero(near.any(axis=1)).tolist():  # mostly few
        originals = _not_taken_apart(hits, at, np.flatnonzero(near[at] & firsts))
        if len(originals):
            firsts[at : at + 1] = False
            marked[at] = replace(hits[at], copy_of=hits[originals[0]].id)
    return marked


def _keep_alike(hits: list[Hit], near: npt.NDArray[np.bool_], scores: Vectors) -> None:
    """Leave in `near` the pairs of photos whose hashes are alike; the score decides where there are none."""
    bits, hashed = _hashes(hits)
    for begin in range(0, len(hits), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        if near[block].any():
            others = slice(near.shape[1])
            differing = np.zeros(near[block].shape, np.uint16)
            for part in range(bits.shape[1]):
                differing += _ONES[bits[block, None, part] ^ bits[None, others, part]]
            both = hashed[block, None] & hashed[None, others]
            alike = (differing <= ALIKE_BITS) & (scores[block] >= NEAR_COPY_OF_PHOTO)
            near[block] &= np.where(both, alike, scores[block] >= SAME_PHOTO)


def _hashes(hits: list[Hit]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return the perceptual hashes `(n, 32)` of hits, and which of them have one."""
    bits, hashed = np.zeros((len(hits), HASH_BYTES), np.uint8), np.zeros(len(hits), bool)
    for at, hit in enumerate(hits):
        stated = hit.metadata.get(PHASH)
        if isinstance(stated, str) and _HASH.fullmatch(stated):  # else an import's column of that name
            bits[at] = list(bytes.fromhex(stated))
            hashed[at] = True
    return bits, hashed


def _not_taken_apart(hits: list[Hit], at: int, originals: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return those hits that were not taken at another moment: shots of one scene are different photos."""
    taken = hits[at].metadata.get("taken")
    if taken is None:
        return originals
    return originals[[hits[each].metadata.get("taken", taken) == taken for each in originals]]


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
