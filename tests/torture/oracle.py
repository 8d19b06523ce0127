"""What was acknowledged, kept outside of the product, and what must therefore be there.

A fact has a key and a value; None stands for what is not there. While something is on its way, several values
are possible; an acknowledged one is the only one.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from torture.driver import MODELS, K, embedder

Key = tuple[Any, ...]
"""("item", name), ("vote", query, id), ("skip", uri), ("space", name), ("default",)."""

Value = Any
Space = str
Rows = npt.NDArray[np.float32]

_IMPORTED_DIM = 12
_ROUNDING = 3e-6  # of scores, which are given with six decimals
_LEAST_RECALL = 0.8  # of an approximate index, over one round's answers


@dataclass(frozen=True)
class Claim:
    """What a process says, or might have done: `acked` tells which."""

    key: Key
    value: Value
    acked: bool = False


@dataclass(frozen=True)
class Problem:
    """Something that breaks the promise: `what` is the column it is counted in."""

    what: str
    detail: str
    key: Key = ()


def random_vectors(contents: Sequence[str]) -> Rows:
    """Return the vectors that are imported for some contents: fixed, unit-length, `(n, 12)`."""
    seeds = [int(hashlib.sha256(each.encode()).hexdigest()[:12], 16) for each in contents]
    rows = np.stack([np.random.default_rng(seed).standard_normal(_IMPORTED_DIM) for seed in seeds])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@dataclass
class Oracle:
    """The facts of one collection of a kind, and the vectors that its items must have."""

    kind: str
    checked: int = 0
    """How many acknowledged facts were held against what is there."""
    _possible: dict[Key, set[Value]] = field(default_factory=dict)
    _item_ids: dict[str, int] = field(default_factory=dict)
    """Ids by name of the items that are there."""
    _photos: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)
    _imported: set[str] = field(default_factory=set)
    _rows: dict[tuple[Space, str], Rows] = field(default_factory=dict)

    def copy(self) -> Oracle:
        """Return one that goes its own way from here."""
        other = copy.copy(self)
        other._possible = {key: set(values) for key, values in self._possible.items()}
        other._item_ids = dict(self._item_ids)
        return other

    def learn_photo(self, content: str, pixels: npt.NDArray[np.uint8]) -> None:
        """Remember what a photo of some content looks like."""
        self._photos[content] = pixels

    def learn_imported(self, contents: Iterable[str]) -> None:
        """Remember of which contents vectors are imported."""
        self._imported.update(contents)

    def ids(self) -> list[int]:
        """Ids of the items that are there."""
        return sorted(self._item_ids.values())

    def names(self) -> list[str]:
        """Names of the items that are there."""
        return sorted(self._item_ids)

    def id_of(self, name: str) -> int | None:
        """Return the id of an item."""
        return self._item_ids.get(name)

    def spaces(self) -> list[Space]:
        """Names of the spaces that are there."""
        there = (key[1] for key, values in self._possible.items() if key[0] == "space" and None not in values)
        return sorted(there)

    def keys(self, kind: str) -> list[Key]:
        """Return the keys of a kind of facts of which something is or may be there."""
        return [key for key, values in self._possible.items() if key[0] == kind and values != {None}]

    def values(self, key: Key) -> set[Value]:
        """Return what is possible for a key."""
        return self._possible.get(key, {None})

    def content_of(self, name: str) -> str:
        """Return the content of an item that is there."""
        if self.kind == "text":
            return name
        (content,) = self.values(("item", name))
        return str(content)

    def settle(self, processes: Sequence[Sequence[Claim]]) -> None:
        """Take in what processes claim that ran at the same time; each one's claims are in order."""
        touched = {claim.key for claims in processes for claim in claims}
        for key in touched:
            before = self.values(key)
            ends: set[Value] = set()
            certain = False
            for claims in processes:
                own = [claim for claim in claims if claim.key == key]
                possible = set(before)
                for claim in own:
                    possible = {claim.value} if claim.acked else possible | {claim.value}
                certain = certain or any(claim.acked for claim in own)
                ends |= possible if own else set()
            claimed = {claim.value for claims in processes for claim in claims if claim.key == key}
            self._possible[key] = ends & claimed if certain else ends

    def hold(self, found: dict[Key, Value], *, collapse: bool = True) -> list[Problem]:
        """Return which facts are not as they must be; what is found is the truth from then on."""
        problems = []
        for key in {*self._possible, *found}:
            possible, value = self.values(key), found.get(key)
            self.checked += possible != {None}
            if value not in possible:
                what = "lost" if value is None else "wrong"
                problems.append(Problem(what, f"{key} is {value!r}, expected {possible}", key))
        if collapse:
            self._possible = {key: {value} for key, value in found.items()}
        return problems

    def remember_ids(self, items: Sequence[Sequence[Any]]) -> list[Problem]:
        """Take in ids and names of the items that are there; an id stays with its item."""
        found = {name: item_id for item_id, name, _ in items}
        self._item_ids = found
        if len({*found.values()}) < len(items) or len(found) < len(items):
            return [Problem("wrong", "an item is there twice")]
        return []

    def check_answers(
        self, space: Space, answers: Sequence[dict[str, Any]], *, whole: bool, approximate: bool
    ) -> list[Problem]:
        """Hold answers to queries by items against the exact ones.

        `whole` says that every item has its vector in the space, `approximate` that an index is searched.
        """
        names = self.names()
        if not names or not answers:
            return []
        by_id = {self._item_ids[name]: name for name in names}
        contents = [self.content_of(name) for name in names]
        if space == "imported":
            whole = whole and all(content in self._imported for content in contents)
        rows = np.stack([self._row(space, content) for content in contents])
        places = {name: at for at, name in enumerate(names)}
        problems: list[Problem] = []
        expected = reached = 0
        for answer in (each for each in answers if each["of"] in by_id):
            self.checked += 1
            scores = np.clip(rows @ rows[places[by_id[answer["of"]]]], -1, 1)
            gone = {answer["of"], *answer["damaged"]}
            left = [
                score for name, score in zip(names, scores, strict=True) if self._item_ids[name] not in gone
            ]
            exact, hits = sorted(left, reverse=True)[:K], answer["hits"]
            found = [hit[2] for hit in hits]
            reached += sum(any(abs(score - each) <= _ROUNDING for each in found) for score in exact)
            expected += len(exact)
            false = [h for h in hits if h[1] not in places or abs(scores[places[h[1]]] - h[2]) > _ROUNDING]
            twice = len({hit[0] for hit in hits}) < len(hits)
            same = len(found) == len(exact) and bool(np.allclose(found, exact, rtol=0, atol=_ROUNDING))
            if false or twice or (whole and not approximate and not same):
                told = (
                    f"item {answer['of']} in {space}: {hits}, expected {[round(float(s), 6) for s in exact]}"
                )
                problems.append(Problem("wrong answer", told))
        if approximate and whole and reached < _LEAST_RECALL * expected:
            problems.append(Problem("wrong answer", f"an index of {space} finds {reached} of {expected}"))
        return problems

    def _row(self, space: Space, content: str) -> Rows:
        if (space, content) not in self._rows:
            if space == "imported":
                row = random_vectors([content])[0]
            elif self.kind == "text":
                row = embedder(space).embed_texts([content])[0]  # type: ignore[union-attr]
            else:
                row = embedder(space).embed(self._photos[content][None])[0]  # type: ignore[union-attr]
            self._rows[space, content] = row
        return self._rows[space, content]


def default_model(kind: str) -> Space:
    """Return the model that a new collection of a kind is made with."""
    return next(iter(MODELS[kind]))
