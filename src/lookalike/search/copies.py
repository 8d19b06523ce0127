"""Which hits are near copies of better ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lookalike.embedders import COMPANION
from lookalike.embedders.known import LONGEST_WORD, UNREAD, KnownShares, all_known
from lookalike.engine.protocol import Engine
from lookalike.matching.hashes import TURN_NAMES, Bits, alike_pairs, hash_bits
from lookalike.records import PHASH, Hit, Ids, Item, Space, Vectors
from lookalike.search.products import products_of

NEAR_COPY = 0.9
"""From this score on two texts are taken for versions of the same one."""

NEAR_COPY_OF_PHOTO = 0.92
"""From this score on two photos are taken for copies whose perceptual hashes say so, too. Measured
(`python bench/background.py copies`). What is missed shows as a hit; what is marked falsely would not
show."""

SAME_PHOTO = 0.96
"""From this score on two photos are taken for copies where one has no hash, as what older versions read."""

Contents = tuple[bytes, bytes]
"""The sha256 of a copy, and of what it is one of."""

HowTold = Callable[[], tuple[str, ...]]
"""Says how one photo is a copy of another, in words, the most telling first."""

Told = Mapping[Contents, HowTold | None]
"""What is known of pairs, both ways round: how they are the same photo, or None where they are not."""

KnownCopies = Callable[[Sequence[Hit]], Told]
"""Tells what is known of the pairs of some hits, 1,000 at most."""

_HASH = re.compile("[0-9a-f]{64}")  # as versions before made it, it had 16
_RESIZED = 0.9  # of the other's longest side
_BLOCK = 256  # hits whose pairs are looked at together
_COMPARED = 1_000  # best hits that others may be copies of: with all, deep pages would cost too much


def nothing_told(_: Sequence[Hit]) -> Told:
    """Tell that nothing is known."""
    return {}


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


def mark_copies(
    hits: list[Hit],
    rows: Vectors,
    known_shares: KnownShares = all_known,
    told: KnownCopies = nothing_told,
) -> list[Hit]:
    """Name for each hit the best one, itself no copy, that it is a near copy of, and how it is one.

    `rows` `(hits, dim)` are of `space_of_copies`, zeros where there is none. Photos are copies of each other
    where `told` says so; where it says nothing, by hash and score in the same position, by their hashes alone
    in another one. Texts of which the model knows hardly anything have vectors that are near for that reason
    alone: they are copies of nothing. `known_shares` is asked about texts that are near another and beyond
    ASCII.
    """
    scores = np.tril(products_of(rows) if len(rows) <= _COMPARED else rows @ rows[:_COMPARED].T, -1)
    is_photos = all(hit.text is None for hit in hits)
    near = _alike_photos(hits, scores, told) if is_photos else _alike_texts(hits, scores, known_shares)
    firsts = np.ones(scores.shape[1], bool)
    marked = list(hits)
    for at in np.flatnonzero(near.pairs.any(axis=1)).tolist():  # mostly few
        originals = _not_taken_apart(hits, at, np.flatnonzero(near.pairs[at] & firsts), near.sure[at])
        if len(originals):
            firsts[at : at + 1] = False
            original = hits[originals[0]]
            how = near.how(hits[at], original, near.turns[at, originals[0]])
            marked[at] = replace(hits[at], copy_of=original.id, copy_how=how)
    return marked


def resized(copy: Item | Hit, other: Item | Hit) -> tuple[str, ...]:
    """Say whether a photo is smaller or larger than another."""
    ours, theirs = _longest(copy), _longest(other)
    if not ours or not theirs or _RESIZED <= ours / theirs <= 1 / _RESIZED:
        return ()
    return ("smaller",) if ours < theirs else ("larger",)


def _longest(item: Item | Hit) -> int:
    sides = (item.metadata.get("width"), item.metadata.get("height"))
    return max((side for side in sides if isinstance(side, int)), default=0)


@dataclass(frozen=True, slots=True)
class _Near:
    """Which hits are near copies of which better ones, `(hits, best hits)`.

    `turns` of `TURNS` makes the copy of the other one, where hashes tell; of `sure` pairs is `known` that
    they are the same photo.
    """

    pairs: npt.NDArray[np.bool_]
    turns: npt.NDArray[np.int64]
    sure: npt.NDArray[np.bool_]
    known: Told

    def how(self, copy: Hit, other: Hit, turn: int) -> tuple[str, ...]:
        """Say how a hit is a copy of another."""
        told = self.known.get((copy.content_hash, other.content_hash))
        if told is not None:
            return told()
        return () if copy.text is not None else (*TURN_NAMES[turn], *resized(copy, other))


def _alike_texts(hits: list[Hit], scores: Vectors, known_shares: KnownShares) -> _Near:
    near = scores >= NEAR_COPY
    unread = _unread(hits, near, known_shares)
    near[unread] = False
    near[:, unread[unread < near.shape[1]]] = False
    return _Near(near, np.zeros(near.shape, np.int64), np.zeros_like(near), {})


def _alike_photos(hits: list[Hit], scores: Vectors, told: KnownCopies) -> _Near:
    """Return the pairs of photos whose hashes are alike; the score decides where there are none."""
    near, turns = _alike_by_hash(hits, scores)
    sure = np.zeros_like(near)
    known = told(hits[: near.shape[1]]) if len(hits) > 1 else {}
    if known:
        copies, others, same = _places_of(known, hits[: near.shape[1]])
        near[copies, others] = sure[copies, others] = same
    near &= np.tri(near.shape[0], near.shape[1], -1, dtype=bool)
    return _Near(near, turns, sure, known)


def _places_of(known: Told, hits: list[Hit]) -> tuple[Ids, Ids, npt.NDArray[np.bool_]]:
    """Return the places of all pairs of hits of which something is known, and whether they are the same."""
    places: dict[bytes, list[int]] = {}
    for at, hit in enumerate(hits):
        places.setdefault(hit.content_hash, []).append(at)
    found = [
        (at, other, how is not None)
        for (copy, original), how in known.items()
        for at in places[copy]
        for other in places[original]
    ]
    copies, others, same = np.array(found, np.int64).T
    return copies, others, same.astype(bool)


def _alike_by_hash(hits: list[Hit], scores: Vectors) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return which pairs are alike by hash and score, and which of `TURNS` makes the first of the second."""
    places, bits = _hashes(hits)
    near, turns = scores >= SAME_PHOTO, np.zeros(scores.shape, np.int64)
    best = int(np.searchsorted(places, scores.shape[1]))
    near[np.ix_(places, places[:best])] = False
    for begin in range(0, len(places), _BLOCK):
        end = begin + _BLOCK
        first, second, lying = alike_pairs(bits[begin:end], bits[: min(end, best)])
        copies, others = places[begin:end][first], places[second]
        near[copies, others] = (lying != 0) | (scores[copies, others] >= NEAR_COPY_OF_PHOTO)
        turns[copies, others] = lying
    return near, turns


def _hashes(hits: list[Hit]) -> tuple[Ids, Bits]:
    """Return the places of the hits that have a perceptual hash, and the hashes `(n, 32)`."""
    stated = [hit.metadata.get(PHASH) for hit in hits]  # may be an import's column of that name
    sound = {at: each for at, each in enumerate(stated) if isinstance(each, str) and _HASH.fullmatch(each)}
    return np.array([*sound], np.int64), hash_bits([*sound.values()])


def _not_taken_apart(
    hits: list[Hit], at: int, originals: npt.NDArray[np.int64], sure: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return those hits that were not taken at another moment: shots of one scene are different photos.

    Those that are surely the same stay: programs write other moments into edited copies.
    """
    taken = hits[at].metadata.get("taken")
    if taken is None:
        return originals
    return originals[[sure[each] or hits[each].metadata.get("taken", taken) == taken for each in originals]]


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
