"""The line between related and unrelated hits, what scores mean, words, and near copies, on labelled data.

python bench/background.py          photos of Caltech-101 and garments, questions of Banking77; neardup/
python bench/background.py draws    the line in collections of few kinds, its one number chosen on half
python bench/background.py copies   which score tells copies: edits of photos, and pairs of different ones
python bench/background.py words    whether scores of words tell right photos from others
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

import words as word_search
from common import DATA, fresh, need_data
from lookalike import Collection
from lookalike.matching.hashes import ALIKE_BITS
from lookalike.models import DEFAULT_MODEL
from lookalike.models.words import load_class_names
from lookalike.records import PHASH, Item
from lookalike.search import background as line_of
from lookalike.search.background import Background, BackgroundScores
from lookalike.search.copies import NEAR_COPY_OF_PHOTO, SAME_PHOTO
from lookalike.store import Store

QUERIES = 1_000
SETS = ("caltech50", "clothing", "banking77")
PHOTO_SETS = ("caltech50", "clothing", "coco256")
KINDS = {"caltech50": (3, 5, 10, 20), "clothing": (3, 5), "banking77": (3, 5, 10, 20)}
DRAWS = 20
SPREADS = np.arange(2.5, 5.01, 0.25)
MOST_FALSE = 0.02
EDITED = 60  # photos of each set
BARS = (
    (NEAR_COPY_OF_PHOTO, 256),
    (SAME_PHOTO, 256),
    *((NEAR_COPY_OF_PHOTO, bits) for bits in (15, ALIKE_BITS, 47, 63)),
)
"""Least scores, and how many bits of the perceptual hashes differ at most."""
Picture = Image.Image


def main() -> None:
    """Measure and print the figures as JSON."""
    need_data()
    parts = {"draws": drawn_lines, "copies": copies, "words": words}
    print(json.dumps(parts[sys.argv[1]]() if sys.argv[1:] else measure(), indent=1 if sys.argv[1:] else None))


def measure() -> dict[str, Any]:
    """Return what the line keeps and lets pass, and how many pairs of photos count as near copies."""
    lines = {name: _line(name) for name in SETS}
    _, labels, rows, bits = items_of("caltech50")
    near = np.triu(are_copies(rows, bits), 1)
    same = labels[:, None] == labels[None]
    _, families, edits, bits = items_of("neardup")
    modes, bits = edits[families == "modes"], bits[families == "modes"]
    return {
        "lines": lines,
        "near_pairs_same_class": int((near & same).sum()),
        "near_pairs_other_class": int((near & ~same).sum()),
        "copies_near": float(are_copies(modes, bits)[np.triu_indices(len(modes), 1)].mean()),
    }


def _line(name: str) -> dict[str, float]:
    """Return shares of the same and of other labels above the line; and of the latter above each share."""
    background, labels, rows = space_of(name)
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:QUERIES])
    scores = rows[chosen] @ rows.T
    same = labels[chosen][:, None] == labels[None]
    others = ~same
    same[np.arange(len(chosen)), chosen] = False
    lines = np.array([background.line(row) for row in rows[chosen]])
    above = scores >= lines[:, None]
    shares = np.array(background.closer_than(scores[others], rows[0]))
    return {
        "items": len(rows),
        "kept": float(above[same].mean()),
        "false_alarms": float(above[others].mean()),
        "precision": float(same[above].mean()),
        "others_above_99": float((shares >= 0.99).mean()),
        "others_above_999": float((shares >= 0.999).mean()),
    }


def drawn_lines() -> dict[str, Any]:
    """Return what the line keeps and lets pass in collections of few kinds, and among all.

    For cross-validation `_SPREADS` is chosen on every second draw, the lowest that lets no more than
    `MOST_FALSE` of other kinds pass on average in each kind of collection, and measured on the other draws;
    and the other way round. What is in use is higher, for collections unlike these.
    """
    drawn: dict[str, list[dict[float, tuple[float, float]]]] = {}
    for name, scores, same in _collections():
        drawn.setdefault(name, []).append({spread: _shares(scores, same, spread) for spread in _spreads()})
    found: dict[str, Any] = {"spread": line_of._SPREADS, "lines": _summary(drawn, line_of._SPREADS)}
    found["two_percent_line"] = _summary(drawn, np.inf)
    for half in (0, 1):
        here = {name: each[half::2] or each for name, each in drawn.items()}
        there = {name: each[1 - half :: 2] or each for name, each in drawn.items()}
        fit = [spread for spread in _spreads() if _most_false(here, spread) <= MOST_FALSE]
        found[f"chosen_on_half_{half}"] = {
            "spread": min(fit),
            "lines_of_the_other": _summary(there, min(fit)),
        }
    return found


def _spreads() -> list[float]:
    return sorted({*SPREADS.tolist(), line_of._SPREADS, np.inf})


def _collections() -> Iterator[tuple[str, npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
    """Yield each set whole and drawn to few kinds: all scores with each other, and who is of one kind."""
    random = np.random.default_rng(1)
    _, files, rows = space_of("coco256")
    shown = _categories(files)
    some = np.array([at for at, each in enumerate(shown) if each])
    yield (
        "coco256",
        rows[some] @ rows[some].T,
        np.array([[bool(shown[a] & shown[b]) for b in some] for a in some]),
    )
    for name, kinds in KINDS.items():
        _, labels, rows = space_of(name)
        names = np.unique(labels)
        for count in (len(names), *kinds):
            for _ in range(1 if count == len(names) else DRAWS):
                chosen = np.isin(labels, random.permutation(names)[:count])
                at = random.permutation(np.flatnonzero(chosen))[:QUERIES]
                title = name if count == len(names) else f"{name}, {count} kinds"
                yield title, rows[at] @ rows[at].T, labels[at][:, None] == labels[at][None]


def _categories(files: npt.NDArray[np.str_]) -> list[frozenset[str]]:
    """Return what each photo of COCO shows; nothing where that is not known."""
    lines = (DATA / "coco256" / "index.jsonl").read_text(encoding="utf-8").splitlines()
    shown = {row["file"]: frozenset(row["categories"] or ()) for row in map(json.loads, lines)}
    return [shown[file] for file in files.tolist()]


def _shares(
    scores: npt.NDArray[np.float32], same: npt.NDArray[np.bool_], spread: float
) -> tuple[float, float]:
    """Return the shares of pairs of one kind and of different kinds above the line of a sample."""
    sample = np.ix_(*2 * [np.random.default_rng(0).permutation(len(scores))[:400]])
    pairs = np.sort(scores[sample][np.triu_indices(min(400, len(scores)), 1)])
    line_of._SPREADS, kept = (spread if np.isfinite(spread) else 1e9), line_of._SPREADS
    line = BackgroundScores(pairs).line
    line_of._SPREADS = kept
    upper = np.triu_indices(len(scores), 1)
    above, same = scores[upper] >= line, same[upper]
    return float(above[same].mean()), float(above[~same].mean())


def _summary(drawn: dict[str, list[dict[float, tuple[float, float]]]], spread: float) -> dict[str, Any]:
    return {
        name: {
            "kept": round(float(np.mean([each[spread][0] for each in some])), 3),
            "false_alarms": round(float(np.mean([each[spread][1] for each in some])), 4),
            "most_false_alarms": round(max(each[spread][1] for each in some), 4),
        }
        for name, some in drawn.items()
    }


def _most_false(drawn: dict[str, list[dict[float, tuple[float, float]]]], spread: float) -> float:
    return max(each["false_alarms"] for each in _summary(drawn, spread).values())


EDITS: dict[str, Callable[[Picture], Picture]] = {
    "brighter": lambda photo: ImageEnhance.Brightness(photo).enhance(1.2),
    "more contrast": lambda photo: ImageEnhance.Contrast(photo).enhance(1.3),
    "half the size": lambda photo: photo.resize((photo.width // 2, photo.height // 2)),
    "a quarter of the size": lambda photo: photo.resize((photo.width // 4, photo.height // 4)),
    "grey": lambda photo: photo.convert("L"),
    "3 % cut off at each side": lambda photo: _cut(photo, 0.03),
    "10 % cut off at each side": lambda photo: _cut(photo, 0.1),
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}
SAVED = {"JPEG, quality 75": ("jpg", 75), "JPEG, quality 30": ("jpg", 30), "WebP": ("webp", 80)}


def _cut(photo: Picture, share: float) -> Picture:
    width, height = photo.size
    return photo.crop(
        (int(width * share), int(height * share), int(width * (1 - share)), int(height * (1 - share)))
    )


def copies() -> dict[str, Any]:
    """Return for each bar the share of each edit that reaches it, and how many pairs of files do."""
    folder = fresh("background-edits")
    sources = [path for name in PHOTO_SETS for path in _some_photos(name)]
    for at, path in enumerate(sources):
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        photo.save(_made(folder / "original" / f"{at}.png"))
        for title, edit in EDITS.items():
            edit(photo).save(_made(folder / title / f"{at}.jpg"), quality=90)
        for title, (kind, quality) in SAVED.items():
            photo.save(_made(folder / title / f"{at}.{kind}"), quality=quality)
    titles, places, rows, bits = _edited(folder)
    order = np.flatnonzero(titles == "original")[np.argsort(places[titles == "original"])]
    edits = {}
    for title in sorted({*EDITS, *SAVED}):
        of = titles == title
        scores = (rows[of] * rows[order[places[of]]]).sum(axis=1)
        differing = (bits[of] != bits[order[places[of]]]).sum(axis=1)
        passing = {bar: (scores >= bar[0]) & (differing <= bar[1]) for bar in BARS}
        edits[title] = {bar_name(*bar): round(float(passed.mean()), 3) for bar, passed in passing.items()}
    pairs = {bar_name(*bar): 0 for bar in BARS}
    compared = 0
    for name in PHOTO_SETS:
        _, _, these, hashes = items_of(name)
        upper = np.triu_indices(len(these), 1)
        compared += len(upper[0])
        for bar in BARS:
            pairs[bar_name(*bar)] += int(are_copies(these, hashes, *bar)[upper].sum())
    chosen = bar_name(NEAR_COPY_OF_PHOTO, ALIKE_BITS)
    return {"edits": edits, "pairs": compared, "pairs_near": pairs, "chosen": chosen}


def bar_name(score: float, bits: int) -> str:
    """Return what is asked of copies, as a title."""
    return f"≥ {score:g}" + (f", ≤ {bits} bits" if bits < 256 else "")


def are_copies(
    rows: npt.NDArray[np.float32],
    bits: npt.NDArray[np.bool_],
    score: float = NEAR_COPY_OF_PHOTO,
    most: int = ALIKE_BITS,
) -> npt.NDArray[np.bool_]:
    """Tell for each pair whether its score and its hashes are those of copies."""
    ones = bits.astype(np.float32)
    differing = ones @ (1 - ones).T + (1 - ones) @ ones.T
    return (rows @ rows.T >= score) & (differing <= most)


def bits_of(items: list[Item]) -> npt.NDArray[np.bool_]:
    """Return the perceptual hashes `(n, 256)` of photos; zeros for what has none."""
    hashes = [bytes.fromhex(str(item.metadata.get(PHASH, "00" * 32))) for item in items]
    return np.unpackbits(np.array([list(each) for each in hashes], np.uint8), axis=1).astype(bool)


def _some_photos(name: str) -> list[Path]:
    paths = sorted(
        path for path in (DATA / name).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )
    return [paths[at] for at in np.random.default_rng(0).permutation(len(paths))[:EDITED]]


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _edited(
    folder: Path,
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return of each edit its title, the number of its photo, its vector and the bits of its hash."""
    with Collection(fresh("background-edits-items") / "items.lookalike") as collection:
        collection.add(folder)
        opened = collection.open_space()
        block = opened.vectors.fetch(opened.vectors.ids().tolist())
        items = opened.items.get(block.ids.tolist())
    paths = [Path(items[item_id].uri) for item_id in block.ids.tolist()]
    return (
        np.array([path.parent.name for path in paths]),
        np.array([int(path.stem) for path in paths]),
        block.rows,
        bits_of([items[item_id] for item_id in block.ids.tolist()]),
    )


def words() -> dict[str, Any]:
    """Return how scores of words part right photos from others: as they are, and among 1,000 other words.

    `share` is that of the names of the classifier's classes that score lower on the same photo.
    """
    embedder = word_search.paired(DEFAULT_MODEL)
    names = load_class_names().vectors()[1]
    found = {}
    asked = {"coco256": word_search.coco_categories(), "caltech50": word_search.folders("caltech50")}
    for name, questions in {**asked, "clothing": word_search.folders("clothing")}.items():
        photos = embedder.companion.embed(word_search.pixels_of(questions.paths, embedder.spec.view))
        scores = embedder.companion.embed_words(questions.words) @ photos.T
        others = names @ photos.T
        shares = np.stack([(others < each).mean(axis=0) for each in scores])
        found[name] = {
            "words": len(questions.words),
            "first_hit_right": round(float(_first_right(scores, questions.right)), 3),
            "score": _parted(scores, questions.right),
            "share": _parted(shares, questions.right),
            "share_of_99_percent": {
                "kept": round(float((shares[questions.right] >= 0.99).mean()), 3),
                "false_alarms": round(float((shares[~questions.right] >= 0.99).mean()), 3),
            },
        }
    return found


def _first_right(scores: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> np.floating[Any]:
    return right[np.arange(len(scores)), scores.argmax(axis=1)].mean()


def _parted(scores: npt.NDArray[Any], right: npt.NDArray[np.bool_]) -> float:
    """Return the share of right photos above a line that 2 % of the others reach, chosen with hindsight."""
    return round(float((scores[right] >= np.quantile(scores[~right], 0.98)).mean()), 3)


def space_of(name: str) -> tuple[Background, npt.NDArray[np.str_], npt.NDArray[np.float32]]:
    """Return the background of a set's items, their labels (of COCO: their files) and their vectors."""
    return items_of(name)[:3]


def items_of(
    name: str,
) -> tuple[Background, npt.NDArray[np.str_], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return what `space_of` does, and the bits of perceptual hashes `(n, 256)`."""
    folder = fresh(f"background-{name}") / "items.lookalike"
    is_text = name == "banking77"
    with Collection(folder) as collection:
        if is_text:
            collection.add(DATA / name / "train.csv", column="text")
        else:
            collection.add(DATA / name)
    store = Store(folder)
    space = store.default_space()
    assert space is not None  # something was added
    vectors = store.vectors(space)
    block = vectors.fetch(vectors.ids().tolist())
    items = store.items.get(block.ids.tolist())
    found = [items[item_id] for item_id in block.ids.tolist()]
    if is_text:
        labels = [str(item.metadata["category"]) for item in found]
    else:
        labels = [
            (path if name == "coco256" else path.parent).name for path in (Path(item.uri) for item in found)
        ]
    return Background(vectors), np.array(labels), block.rows, bits_of(found)


if __name__ == "__main__":
    main()
