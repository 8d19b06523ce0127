"""Which copies are found, by lookalike and by others, and what is taken for one falsely.

python bench/copies.py FOLDER [--peers PYTHON] [--only NAME …] [--keep]

FOLDER was made by `python bench/copy_truth.py make FOLDER`. Prints a table of half 1 of the photos, on which
no rule was settled. Other programs run by PYTHON, of an environment of their own:

    python -m venv .cache/peers && .cache/peers/bin/pip install -r tools/requirements-peers.txt

`--keep` keeps the figures in docs/quality.json and writes docs/quality.md; methods that were not measured
keep theirs, if they are of the same truth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import evaluating
from background import bits_of
from common import ROOT, machine
from copies_score import Pairs, as_pairs, negatives, score
from copies_table import table
from copy_truth import Truth, read
from lookalike import Collection
from lookalike.matching.hashes import ALIKE_BITS
from lookalike.search.copies import NEAR_COPY_OF_PHOTO

PEERS = ROOT / ".cache" / "peers" / "bin" / "python"
_BLOCK = 1024


def main() -> None:
    """Measure, print the table, and keep the figures where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", type=Path, default=PEERS, metavar="PYTHON")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    figures = measure(read(given.folder), given.peers, given.only)
    print(table(figures))
    if given.keep:
        keep(figures)


def keep(figures: dict[str, Any]) -> None:
    """Put the figures beside those of the other evaluations, and write the page anew."""
    kept = json.loads(evaluating.FIGURES.read_text(encoding="utf-8"))
    before = kept.get("same_photo", {})
    if all(before.get(part) == figures[part] for part in ("files", "sources", "negatives")):
        figures = figures | {"methods": figures["methods"] | _others(before, figures)}
    kept["same_photo"] = figures
    evaluating.FIGURES.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    evaluating.PAGE.write_text(evaluating.render(kept), encoding="utf-8")


def _others(before: dict[str, Any], figures: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in before["methods"].items() if name not in figures["methods"]}


def measure(truth: Truth, peers: Path = PEERS, only: list[str] | None = None) -> dict[str, Any]:
    """Return for each method how well it does on either half; only of those named, where some are."""
    methods: dict[str, Any] = {}
    for name, title, pairs, seconds in _all_found(truth, peers, only or []):
        halves = {f"half_{half}": score(truth, pairs, half) for half in (0, 1)}
        methods[name] = {"title": title, "seconds": round(seconds, 1), **halves}
    kinds = [entry.kind for entry in truth.entries]
    return {
        "machine": machine(),
        "files": len(kinds),
        "sources": kinds.count("source"),
        "negatives": {f"half_{half}": negatives(truth, half) for half in (0, 1)},
        "methods": methods,
    }


def _all_found(truth: Truth, peers: Path, only: list[str]) -> Iterator[tuple[str, str, Pairs, float]]:
    """Yield each method's name, what it is, the pairs that it found and the seconds it took."""
    files = [truth.path(entry).resolve() for entry in truth.entries]
    for name, (title, find) in METHODS.items():
        if not only or name in only:
            begun = time.perf_counter()
            yield name, title, find(files), time.perf_counter() - begun
    others = [name for name in only if name not in METHODS]
    if only and not others:
        return
    if not peers.exists():
        print(f"{peers} is not there, so the other programs are left out; how to make it: --help")
        return
    yield from _found_by_peers(files, peers, others)


def _found_by_peers(
    files: list[Path], peers: Path, only: list[str]
) -> Iterator[tuple[str, str, Pairs, float]]:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "pairs.npz"
        asked = json.dumps([str(file) for file in files])
        command = [str(peers), str(ROOT / "bench" / "copies_peers.py"), str(out), *only]
        done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True)
        found = np.load(out)
        for name, told in json.loads(done.stdout.splitlines()[-1]).items():
            yield name, told["title"], as_pairs(found[name]), told["seconds"]


def same_photo(files: list[Path]) -> list[tuple[Path, Path]]:
    """Return all pairs of files that lookalike takes for the same photo."""
    with tempfile.TemporaryDirectory() as scratch, Collection(Path(scratch) / "c.lookalike") as collection:
        collection.add(*files)
        groups = collection.copies("photo").groups
        return [
            (Path(one.uri), Path(other.uri))
            for group in groups
            for one, other in combinations(group.items, 2)
        ]


def _found_by_lookalike(files: list[Path]) -> Pairs:
    at = {file: place for place, file in enumerate(files)}
    return as_pairs([(at[one], at[other]) for one, other in same_photo(files)])


def _by_cosine(files: list[Path], most_bits: int | None = None) -> Pairs:
    """Return the pairs whose vectors are near, and of whose hashes at most so many bits differ."""
    rows, bits = _vectors_and_bits(files)
    signs = bits.astype(np.float32) * 2 - 1
    found = []
    for begin in range(0, len(rows), _BLOCK):
        near = rows[begin : begin + _BLOCK] @ rows.T >= NEAR_COPY_OF_PHOTO
        if most_bits is not None:
            near &= signs[begin : begin + _BLOCK] @ signs.T >= bits.shape[1] - 2 * most_bits
        one, other = np.nonzero(near)
        found.append(np.stack([one + begin, other], axis=1))
    return as_pairs(np.concatenate(found))


def _vectors_and_bits(files: list[Path]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return the default vectors `(n, dim)` and hashes `(n, 256)` of files, zeros for what was not read."""
    at = {str(file): place for place, file in enumerate(files)}
    with tempfile.TemporaryDirectory() as scratch, Collection(Path(scratch) / "c.lookalike") as collection:
        collection.add(*files)
        opened = collection.open_space()
        block = opened.vectors.fetch(opened.vectors.ids().tolist())
        found = opened.items.get(block.ids.tolist())
    items = [found[item_id] for item_id in block.ids.tolist()]
    places = [at[item.uri] for item in items]
    rows, bits = np.zeros((len(files), block.rows.shape[1]), np.float32), np.zeros((len(files), 256), bool)
    rows[places], bits[places] = block.rows, bits_of(items)
    return rows, bits


METHODS: dict[str, tuple[str, Callable[[list[Path]], Pairs]]] = {
    "lookalike": ("`lookalike copies --level photo`", _found_by_lookalike),
    "cosine": (f"cosine of the default vectors, {NEAR_COPY_OF_PHOTO} or more", _by_cosine),
    "folded": (
        f"near copies as answers fold them: the same, and at most {ALIKE_BITS} of 256 bits",
        lambda files: _by_cosine(files, ALIKE_BITS),
    ),
}
"""What is measured of lookalike: by name what it is, and how it finds pairs of files."""


if __name__ == "__main__":
    main()
