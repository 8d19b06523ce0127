"""The same collection in a folder and in Milvus, asked the same: hits and scores have to agree.

python bench/same_answers.py [COUNT] [SERVER]     500 queries unless said otherwise; SERVER is HOST:PORT
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import DATA, median, milvus_at
from lookalike import Collection
from lookalike.records import Box, Hit, SearchOptions, Words
from lookalike.search.queries import Example

WHERE = [
    [],
    ["width>250"],
    ["width<=300", "height>200"],
    ["uri=*a*1*"],
    ["format=jpeg", "width!=300"],
    ["folder!=/nowhere"],
    ["id>0", "uri>/"],
    ["width<0"],
]
"""Conditions of every kind; the last one keeps nothing."""

_WORDS = ["a cup", "dog", "red car", "airplane in the sky", "face of a man", "piano"]
_WITHIN = 1e-5  # that scores may differ
_TIE = 2e-5  # scores so near may change places


def main() -> None:
    """Ask, and print how many answers differ."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder, milvus_at(sys.argv[2:], Path(folder)) as server:
        print(json.dumps(measure(count, server, Path(folder))))


def measure(count: int, server: str, folder: Path) -> dict[str, Any]:
    """Add real photos to a folder, copy it to Milvus, and compare answers."""
    place = f"milvus://{server}/same_{os.getpid()}"
    with Collection(folder / "c.lookalike") as local, Collection(place) as milvus:
        local.add(DATA / "caltech50")
        local.copy_to(milvus)
        photos = sorted((DATA / "coco256" / "images").iterdir())
        found = compared(local, milvus, photos, count)
        milvus.engine.space_book.drop_all()  # type: ignore[attr-defined]  # it is Milvus'
    return found


def compared(local: Collection, milvus: Collection, photos: Sequence[Path], count: int) -> dict[str, Any]:
    """Ask both `count` queries of every kind; `different` names those whose answers differ."""
    both = (local, milvus)
    ids = [{item.uri: item.id for item in each.items(limit=100_000)} for each in both]
    assert set(ids[0]) == set(ids[1])
    different: list[Any] = []
    times: list[list[float]] = [[], []]
    asked = 0
    while asked < count:
        seed = asked // len(KINDS)
        kind, options = (
            asked % len(KINDS),
            SearchOptions((8, 20, 1)[seed % 3], offset=3 * (seed % 2), rerank=False),
        )
        where = WHERE[(seed + kind) % len(WHERE)]
        answers = []
        for who, collection in enumerate(both):
            query = KINDS[kind](Draws(random.Random(asked), ids[who], photos))
            begun = time.perf_counter()
            answers.append(collection.answer([query], options, where=where)[0])
            times[who].append(1_000 * (time.perf_counter() - begun))
        asked += 1
        if not same_hits(answers[0].hits, answers[1].hits) or answers[0].more != answers[1].more:
            different.append(
                [kind, seed, where, [[(hit.uri, hit.score) for hit in each] for each in answers]]
            )
    return {
        "queries": asked,
        "different": different,
        "folder_ms": median(times[0]),
        "milvus_ms": median(times[1]),
    }


def same_hits(one: Sequence[Hit], other: Sequence[Hit]) -> bool:
    """Whether hits are the same with scores within 1e-5, ties aside."""
    if len(one) != len(other):
        return False
    if any(abs(a.score - b.score) > _WITHIN for a, b in zip(one, other, strict=True)):
        return False
    scores = {hit.uri: hit.score for hit in (*one, *other)}
    differ = {hit.uri for hit in one} ^ {hit.uri for hit in other}
    edges = (one[0].score, one[-1].score) if one else ()
    return all(any(abs(scores[uri] - edge) <= _TIE for edge in edges) for uri in differ)


@dataclass(frozen=True)
class Draws:
    """Draws queries: of items by uri, and of photos that are no items."""

    chance: random.Random
    ids: Mapping[str, int]
    photos: Sequence[Path]

    def item(self) -> int:
        """An item."""
        return self.ids[self.chance.choice(sorted(self.ids))]

    def photo(self) -> Path:
        """A photo that is no item."""
        return self.chance.choice(self.photos)

    def words(self) -> Words:
        """Words."""
        return Words(self.chance.choice(_WORDS))

    def several(self) -> list[Example]:
        """Examples that weigh differently, one of them to push away."""
        return [Example(self.item()), Example(self.item(), 0.5), Example(self.item(), -0.3)]

    def part_of_item(self) -> Example:
        """A part of an item's photo."""
        return Example(self.item(), 1.0, Box(0.1, 0.1, 0.6, 0.7))

    def part_and_item(self) -> list[Example]:
        """A part of a photo, and an item."""
        return [Example(self.photo(), 1.0, Box(0.2, 0, 0.5, 1)), Example(self.item(), 2.0)]

    def words_and_item(self) -> list[Example]:
        """Words and an item."""
        return [Example(self.words()), Example(self.item(), 0.4)]


KINDS: tuple[Callable[[Draws], Any], ...] = (
    Draws.item,
    Draws.photo,
    lambda draws: draws.photo().read_bytes(),
    Draws.several,
    Draws.part_of_item,
    Draws.part_and_item,
    Draws.words,
    Draws.words_and_item,
)


if __name__ == "__main__":
    main()
