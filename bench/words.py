"""How well words find photos with the bundled models, and what that costs (JSON on the last line).

    python bench/words.py             quality, and the cost of the second space per photo
    python bench/words.py add         how much slower `add` is for it
    python bench/words.py ways        what else could be done with the same vectors, as a table
    python bench/words.py choices     templates, means and temperatures, one at a time, as a table

A category's name is a query, the COCO photos that show one are right answers; chance is their share of all
photos. A caption is a query, its own photo the only right answer among those that have captions. Folders of
Caltech-101 and of garments, by their names, keep the choices from fitting COCO alone. `choices` reads the
class names from the wheel that `tools/build_words.py` leaves in build/models, and needs what that needs.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common import DATA, ROOT, distinct_copies, fresh, median, need_data, timed
from lookalike import Collection
from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embedders.ensemble import EnsembleEmbedder
from lookalike.embedders.load import load_embedder
from lookalike.models.box import CHOICES
from lookalike.models.words import load_class_names
from lookalike.records import Photo, Vectors, View
from lookalike.search.reranking import rerank

MODELS = tuple(CHOICES.values())
FEWEST = 5  # photos of a category that is asked for
K = 10
ROUNDS = 15
ADDED, ADD_ROUNDS = 1_024, 5  # photos
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Questions:
    """Photos, words that ask for them, and which photos answer each: bool `(words, photos)`."""

    paths: list[Path]
    words: list[str]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Recipe:
    """How photos and words get into one space; the defaults are what ships."""

    title: str = "as shipped"
    template: str = "a photo of a {}"
    temperature: float = 2.0
    names_mean: bool = True
    words_mean: bool = True
    top: int = 1000


RECIPES = (
    Recipe(),
    Recipe("no template", template="{}"),
    Recipe("a picture of a …", template="a picture of a {}"),
    Recipe("this is a photo of a ….", template="This is a photo of a {}."),
    Recipe("no mean removed", names_mean=False, words_mean=False),
    Recipe("mean removed from the names only", words_mean=False),
    *(Recipe(f"temperature {degrees:g}", temperature=degrees) for degrees in (1, 1.5, 2.5, 3, 4)),
    *(Recipe(f"the {top} likeliest classes only", top=top) for top in (5, 20, 100)),
)


def main() -> None:
    """Print what was asked for."""
    need_data()
    if sys.argv[1:] == ["choices"]:
        compare_choices()
    elif sys.argv[1:] == ["ways"]:
        compare_ways()
    elif sys.argv[1:] == ["add"]:
        print(json.dumps(slower_add()))
    else:
        print(json.dumps({name: measure(paired(name)) for name in MODELS}))


def paired(name: str) -> EnsembleEmbedder:
    """Return a bundled photo model that takes words too."""
    embedder = load_embedder(name, "cpu", 2)
    assert isinstance(embedder, EnsembleEmbedder)  # all photo models in the box are
    return embedder


def measure(embedder: EnsembleEmbedder) -> dict[str, float]:
    """Return precision and chance for the names of categories, how captions find, and the cost."""
    found: dict[str, float] = {}
    for title, asked in (("", coco_categories()), ("caltech50_", folders("caltech50"))):
        photos = embedder.companion.embed(pixels_of(asked.paths, embedder.spec.view))
        scores = embedder.companion.embed_words(asked.words) @ photos.T
        at_10, chance = precision(scores, asked.right), float(asked.right.mean())
        found |= {f"{title}precision_at_10": at_10, f"{title}chance": chance}
        found |= {f"{title}times_chance": at_10 / chance}
    asked = captions()
    photos = embedder.companion.embed(pixels_of(asked.paths, embedder.spec.view))
    scores = embedder.companion.embed_words(asked.words) @ photos.T
    found |= {"captions_recall_at_10": recall(scores, asked.right), "captions_mrr": mrr(scores, asked.right)}
    found["pair_costs_more"] = cost(embedder, pixels_of(asked.paths[:32], embedder.spec.view))
    return {name: round(value, 4) for name, value in found.items()}


def cost(embedder: EnsembleEmbedder, pixels: npt.NDArray[np.uint8]) -> float:
    """Return the share by which `embed_pair` takes longer than `embed`, the median of turns at both."""
    shares = []
    for turn in range(ROUNDS):
        calls = [embedder.embed, embedder.embed_pair]
        seconds = {}
        for call in calls if turn % 2 else reversed(calls):
            begun = time.process_time()  # of all threads: other work on the machine counts for less
            call(pixels)
            seconds[call] = time.process_time() - begun
        shares.append(seconds[embedder.embed_pair] / seconds[embedder.embed] - 1)
    return median(shares)


def slower_add() -> dict[str, float]:
    """Return photos per second with and without the space for words, and the share by which it is slower."""
    folder = distinct_copies(ADDED, f"photos-{ADDED}")
    pair = paired(MODELS[0])
    rounds = []
    for turn in range(ADD_ROUNDS):
        seconds = {}
        for embedder in (pair, _Alone(pair))[:: 1 if turn % 2 else -1]:
            with Collection(fresh("words.lookalike"), embedder=embedder) as collection:
                seconds[embedder is pair] = timed(lambda: collection.add(folder))
        rounds.append(seconds)
    return {
        "with": median([ADDED / one[True] for one in rounds]),
        "without": median([ADDED / one[False] for one in rounds]),
        "slower": median([one[True] / one[False] - 1 for one in rounds]),
    }


class _Alone:
    """A model without the space for words."""

    def __init__(self, pair: EnsembleEmbedder) -> None:
        self.spec = pair.spec
        self.embed = pair.embed


def compare_choices() -> None:
    """Change one setting at a time."""
    sys.path.insert(0, str(ROOT / "tools"))
    import build_words  # needs what the tools need

    class_names = build_words.class_names(ROOT / "build" / "models" / "wheels")
    sets = [coco_categories(), folders("caltech50"), folders("clothing"), captions()]
    print("| model | choice | COCO P@10 | Caltech P@10 | garments P@10 | captions recall@10 | MRR |")
    print("|---|---|---|---|---|---|---|")
    for name in MODELS:
        embedder = paired(name)
        scores = [class_scores(embedder, pixels_of(asked.paths, embedder.spec.view)) for asked in sets]
        for recipe in RECIPES:
            cells = figures(recipe, class_names, sets, scores)
            print(f"| {name} | {recipe.title} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")


def compare_ways() -> None:
    """Print what could be done with the same vectors of photos and words."""
    sets = {"COCO": coco_categories(), "Caltech": folders("caltech50"), "garments": folders("clothing")}
    asked = [*sets.values(), captions()]
    measured = "COCO P@10 | mAP | Caltech P@10 | mAP | garments P@10 | mAP | captions, recall@10"
    print(f"| model | way | {measured} |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in MODELS:
        embedder, rows = paired(name), dict[str, list[str]]()
        for one in asked:
            looks, photos = embedder.embed_pair(pixels_of(one.paths, embedder.spec.view))
            words = embedder.companion.embed_words(one.words)
            for way, scores in _ways(words, photos, looks):
                at_10 = recall(scores, one.right) if one is asked[-1] else precision(scores, one.right)
                rows.setdefault(way, []).append(f"{at_10:.3f}")
                if one is not asked[-1]:
                    rows[way].append(f"{average_precision(scores, one.right):.3f}")
        for way, cells in rows.items():
            print(f"| {name} | {way} | " + " | ".join(cells) + " |")


def _ways(words: Vectors, photos: Vectors, looks: Vectors) -> Iterator[tuple[str, Floats]]:
    plain = words @ photos.T
    yield "as shipped", plain
    yield "re-ranked", np.stack([_reranked(scores, photos) for scores in plain])
    near = np.sort(plain, axis=0)[-10:].mean(axis=0)
    yield "less half of what is nearest among the other words (hubness)", plain - near / 2
    names = np.sort(load_class_names().vectors()[1] @ photos.T, axis=0)[-10:].mean(axis=0)
    yield "less half of what is nearest among the class names", plain - names / 2
    alike = looks @ looks.T
    np.fill_diagonal(alike, -1)
    for count in (5, 10):
        nearest = np.argsort(-alike, axis=1)[:, :count]
        weights = np.maximum(np.take_along_axis(alike, nearest, axis=1), 0)
        smooth = unit(photos + np.einsum("nk,nkd->nd", weights, photos[nearest]))
        yield f"each photo smoothed by its {count} nearest", words @ smooth.T


def _reranked(scores: Floats, photos: Vectors) -> Floats:
    """Return scores that rank as a search that re-ranks would."""
    order = np.argsort(-scores, kind="stable")
    ranks = np.empty(len(order), np.float32)
    ranks[order[rerank(scores[order], photos[order])]] = -np.arange(len(order))
    return ranks


def average_precision(scores: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Return the mean over all words."""
    order = np.argsort(-scores, axis=1, kind="stable")
    found = np.take_along_axis(right, order, axis=1)
    precisions = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return float(np.mean((precisions * found).sum(axis=1) / found.sum(axis=1)))


def figures(
    recipe: Recipe, class_names: list[str], sets: list[Questions], scores: list[Floats]
) -> Iterator[float]:
    """Yield what one recipe reaches on each set."""
    texts = load_embedder(load_class_names().text_model, "cpu", 2)
    names = texts.embed_texts([recipe.template.format(name) for name in class_names])  # type: ignore[union-attr]
    mean = names.mean(axis=0)
    names = unit(names - mean) if recipe.names_mean else names
    for asked, raw in zip(sets, scores, strict=True):
        likely = np.exp((raw - raw.max(axis=1, keepdims=True)) / recipe.temperature)
        if recipe.top < likely.shape[1]:
            least = np.partition(likely, -recipe.top, axis=1)[:, -recipe.top, None]
            likely = np.where(likely >= least, likely, 0)
        words = texts.embed_texts([recipe.template.format(word) for word in asked.words])  # type: ignore[union-attr]
        found = unit(words - mean if recipe.words_mean else words) @ unit(likely @ names).T
        if asked is sets[-1]:
            yield recall(found, asked.right)
            yield mrr(found, asked.right)
        else:
            yield precision(found, asked.right)


def class_scores(embedder: EnsembleEmbedder, pixels: npt.NDArray[np.uint8]) -> Floats:
    """Return the scores of the 1,000 classes."""
    return np.concatenate(
        [
            embedder._run(pixels[at : at + 8], scored=True)[1]  # a bench may look in
            for at in range(0, len(pixels), 8)
        ]
    )


def coco_categories() -> Questions:
    """The names of the categories that at least `FEWEST` photos show."""
    rows = [row for row in _coco() if row["categories"] is not None]
    shown = Counter(name for row in rows for name in row["categories"])
    names = sorted(name for name, count in shown.items() if count >= FEWEST)
    right = np.array([[name in row["categories"] for row in rows] for name in names])
    return Questions(_paths(rows), names, right)


def captions() -> Questions:
    """All captions of the photos that have some."""
    rows = [row for row in _coco() if row["captions"]]
    words = [caption for row in rows for caption in row["captions"]]
    right = np.array(
        [[at == own for at in range(len(rows))] for own, row in enumerate(rows) for _ in row["captions"]]
    )
    return Questions(_paths(rows), words, right)


def folders(name: str) -> Questions:
    """The names of folders of photos."""
    paths = sorted((DATA / name).glob("*/*.jp*g"))
    labels = np.array([path.parent.name for path in paths])
    names = sorted(set(labels.tolist()))
    right = np.array([labels == label for label in names])
    return Questions(paths, [label.replace("_", " ") for label in names], right)


def _coco() -> list[dict[str, Any]]:
    lines = (DATA / "coco256" / "index.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _paths(rows: list[dict[str, Any]]) -> list[Path]:
    return [DATA / "coco256" / "images" / row["file"] for row in rows]


def pixels_of(paths: list[Path], view: View) -> npt.NDArray[np.uint8]:
    """Return the photos as a model wants them."""
    with DecodePool(2) as pool:
        photos = list(pool.photos(PhotoRequest(str(path), str(path), view) for path in paths))
    return np.stack(
        [photo.pixels for photo in photos if isinstance(photo, Photo) and photo.pixels is not None]
    )


def precision(scores: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Return the mean share of right answers among the first `K`."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return float(np.take_along_axis(right, best, axis=1).mean())


def recall(scores: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Return the share of queries whose one right answer is among the first `K`."""
    return float((_ranks(scores, right) <= K).mean())


def mrr(scores: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Return the mean reciprocal rank of the one right answer."""
    return float((1 / _ranks(scores, right)).mean())


def _ranks(scores: Floats, right: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    own = scores[right][:, None]  # one per query, in order
    return 1 + (scores > own).sum(axis=1)


def unit(rows: Floats) -> Vectors:
    """Return rows of unit length."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


if __name__ == "__main__":
    main()
