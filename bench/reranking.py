"""Answers in the plain order and re-ranked (`SearchOptions.rerank`), each query both ways.

python bench/reranking.py [QUERIES]     at most so many of each set; without it, 300

Photos of `caltech50` and `clothing` and texts of `banking77` by label, each item a query among the others; a
fifth of the photos as queries that are not in the collection; all photos, and those of COCO, in one
collection; and edited photos, whose original is to come first. `rank_ms` is what ranking the best anew takes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from common import DATA, median, need_data
from lookalike import Collection
from lookalike.records import Item, SearchOptions
from lookalike.search.reranking import BEST, rerank

PHOTOS = ("caltech50", "clothing")
TEXTS = 3_000
EDITED = 100
Label = Callable[[Item], str]
Picture = Image.Image


def main() -> None:
    """Measure, and print the figures as JSON."""
    need_data()
    print(json.dumps(measure(int(sys.argv[1]) if sys.argv[1:] else 300)))


def measure(most: int, edited: int = EDITED) -> dict[str, Any]:
    """Return mean average precision and the share of right first hits of each set, both ways."""
    figures: dict[str, Any] = {}
    for name in PHOTOS:
        with photos_of(DATA / name) as collection:
            figures[name] = both(collection, _folder, _items(collection, most))
        figures[f"{name}, held out"] = held_out(name, most)
    with photos_of(*(DATA / name for name in PHOTOS), DATA / "coco256" / "images") as collection:
        labelled = [item for item in _items(collection, 10_000) if "coco256" not in item.uri]
        figures["mixed"] = both(collection, _folder, _some(labelled, most))
        figures["edited"] = copies(collection, edited)
    figures["banking77"] = texts(most)
    return figures | {"rank_ms": rank_ms()}


@contextmanager
def photos_of(*folders: Path, model: str | None = None) -> Iterator[Collection]:
    """Give a collection of these folders, made by a model or the default, for as long as the block lasts."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        Collection(Path(scratch) / "c.lookalike", model=model) as collection,
    ):
        collection.add(*folders)
        yield collection


def _items(collection: Collection, most: int) -> list[Item]:
    return _some(collection.items(limit=100_000), most)


def _some(items: list[Item], most: int) -> list[Item]:
    return [items[at] for at in np.sort(np.random.default_rng(0).permutation(len(items))[:most])]


def _folder(item: Item) -> str:
    return Path(item.uri).parent.name


def both(
    collection: Collection, label: Label, queries: list[Item], *, by_file: bool = False
) -> dict[str, dict[str, float]]:
    """Answer each query in both orders; labels say what is right."""
    labels = {item.id: label(item) for item in collection.items(limit=100_000)}
    count, measures = len(labels), {"plain": list[list[float]](), "reranked": list[list[float]]()}
    for item in queries:
        for name, found in measures.items():
            options = SearchOptions(k=count, rerank=name == "reranked")
            (result,) = collection.answer([Path(item.uri) if by_file else item.id], options)
            right = np.array([labels[hit.id] == label(item) for hit in result])
            precision = np.cumsum(right) / np.arange(1, len(right) + 1)
            if right.any():
                found.append([float(precision[right].mean()), float(right[0])])
    return {
        name: {"map": float(np.mean(found, axis=0)[0]), "first": float(np.mean(found, axis=0)[1])}
        for name, found in measures.items()
    }


def held_out(name: str, most: int) -> dict[str, dict[str, float]]:
    """Ask by files of which the collection has none: every fifth of a set."""
    with photos_of(DATA / name) as collection:
        asked = collection.items(limit=100_000)[::5]
        collection.remove(*(item.id for item in asked))
        return both(collection, _folder, _some(asked, most), by_file=True)


def copies(collection: Collection, count: int) -> dict[str, Any]:
    """Return the share of edited photos whose original comes first, by edit, both ways."""
    sources = _some(collection.items(limit=100_000), count)
    firsts: dict[str, dict[str, float]] = {}
    for title, edit in EDITS.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{item.id}.jpg" for item in sources]
            for item, path in zip(sources, paths, strict=True):
                with Image.open(item.uri) as photo:
                    edit(photo.convert("RGB")).save(path, quality=90)
            found = {
                name: collection.answer(paths, SearchOptions(k=1, rerank=name == "reranked"))
                for name in ("plain", "reranked")
            }
        firsts[title] = {
            name: float(np.mean([one.hits[0].id == item.id for one, item in zip(some, sources, strict=True)]))
            for name, some in found.items()
        }
    means = {name: float(np.mean([each[name] for each in firsts.values()])) for name in ("plain", "reranked")}
    return {name: {"first": mean} for name, mean in means.items()} | {"edits": firsts}


def texts(most: int) -> dict[str, dict[str, float]]:
    """Ask by questions of which others have the same intent."""
    with tempfile.TemporaryDirectory() as scratch, Collection(Path(scratch) / "t.lookalike") as collection:
        lines = (DATA / "banking77" / "train.csv").read_text().splitlines(keepends=True)
        table = Path(scratch) / "some.csv"
        chosen = np.sort(np.random.default_rng(0).permutation(len(lines) - 1)[:TEXTS]) + 1
        table.write_text("".join([lines[0], *(lines[at] for at in chosen)]))
        collection.add(table, column="text")
        queries = _items(collection, min(most, 500))
        return both(collection, lambda item: str(item.metadata["category"]), queries)


def rank_ms() -> float:
    """Return what ranking the best anew takes, of 504 numbers each."""
    rows = np.random.default_rng(0).normal(size=(BEST, 504)).astype(np.float32) + 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scores = np.sort(rows @ rows[0])[::-1].copy()
    times = []
    for _ in range(100):
        begun = time.perf_counter()
        rerank(scores, rows)
        times.append(1_000 * (time.perf_counter() - begun))
    return median(times)


def _cropped(photo: Picture, share: float) -> Picture:
    width, height = photo.size
    left, top = int(width * share), int(height * share)
    return photo.crop((left, top, width - left, height - top))


def _written_on(photo: Picture) -> Picture:
    photo = photo.copy()
    size = max(8, photo.width // 6)
    ImageDraw.Draw(photo).text((photo.width // 8, photo.height // 2), "SAMPLE", fill="red", font_size=size)
    return photo


EDITS: dict[str, Callable[[Picture], Picture]] = {
    "blurred": lambda photo: photo.filter(ImageFilter.GaussianBlur(photo.width / 80)),
    "cropped to two thirds": partial(_cropped, share=1 / 6),
    "the left half": lambda photo: photo.crop((0, 0, photo.width // 2, photo.height)),
    "turned by 5°": lambda photo: photo.rotate(5, expand=True),
    "turned by 90°": lambda photo: photo.rotate(90, expand=True),
    "mirrored": ImageOps.mirror,
    "grey": lambda photo: ImageOps.grayscale(photo).convert("RGB"),
    "with a border": lambda photo: ImageOps.expand(photo, photo.width // 8, "white"),
    "written on": _written_on,
    "a third of the size": lambda photo: photo.resize((photo.width // 3, photo.height // 3)),
}


if __name__ == "__main__":
    main()
