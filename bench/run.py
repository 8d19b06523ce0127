"""Run all benchmarks and write docs/benchmarks.md: `make bench`.

    python bench/run.py                 everything, about forty minutes
    python bench/run.py reading cold    only these parts; figures of the others are kept
    python bench/run.py page            nothing: write the page from the figures that are kept

Parts: quality, choices, reranking, background, reading, texts, words, search40k, cold, serving, search1m,
engine, answers, embedding, copies, memory,
size. Figures are kept in docs/benchmarks.json.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import embedding
import footprint
import reading
from common import DATA, ROOT, WORK, machine, need_data, run_json
from lookalike.models import DEFAULT_MODEL
from report import render

FIGURES = ROOT / "docs" / "benchmarks.json"


def main() -> None:
    """Measure the parts named, or all, and write the page."""
    need_data()
    WORK.mkdir(parents=True, exist_ok=True)
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for name in [] if sys.argv[1:] == ["page"] else sys.argv[1:] or PARTS:
        print(f"measuring {name} …", flush=True)
        figures[name] = PARTS[name]() | {"machine": machine()}
        print(json.dumps(figures[name]), flush=True)
        FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    (ROOT / "docs" / "benchmarks.md").write_text(render(figures))


def search(count: int, *, with_example: bool) -> dict[str, Any]:
    """Make a collection of `count` items, build its index and measure it, each in a process of its own."""
    folder = collection(count)
    shutil.rmtree(folder / "index", ignore_errors=True)
    build, build_peak = run_json("searching.py", "build", folder)
    searched, _ = run_json("searching.py", "search", folder)
    example = run_json("searching.py", "example", folder)[0] if with_example else {}
    return {"build": build | {"peak_mb": build_peak}, "search": searched, "example": example}


def collection(count: int) -> Path:
    """Return a collection of `count` items, made once."""
    folder = WORK / f"items-{count}-{DEFAULT_MODEL}.lookalike"
    done = folder.with_suffix(".done")
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        run_json("searching.py", "make", folder, count)
        done.touch()
    return folder


def quality() -> dict[str, Any]:
    """Mean average precision and precision at 10 of the default model, through the whole of lookalike."""
    return run_json("quality.py", DATA)[0]  # type: ignore[no-any-return]  # a JSON object


def texts() -> dict[str, Any]:
    """Texts beside the example's way, how well they find, and searches among 20,000 of them."""
    return {step: run_json("texts.py", step)[0] for step in ("speed", "quality", "search")}


def words() -> dict[str, Any]:
    """Photos found by words, and what that costs `add`."""
    return {"models": run_json("words.py")[0], "add": run_json("words.py", "add")[0]}


def serving() -> dict[str, Any]:
    """The server over a collection of 40,000 items: one client, 16, 1,000; the page's first paint."""
    folder = collection(40_000)
    run_json("searching.py", "build", folder)
    return {step: run_json("serving.py", step, folder)[0] for step in ("one", "many", "crowd", "paint")}


def copies() -> dict[str, Any]:
    """Return what finding copies takes: by hashes among many, and by a close look at real photos."""
    hashes, _ = run_json("copies_scale.py", "hashes", 40_000, 200_000)
    look, _ = run_json("copies_scale.py", "look", DATA, 1_500)
    return {"hashes": hashes, "look": look}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "quality": quality,
    "choices": lambda: run_json("choices.py")[0],
    "reranking": lambda: run_json("reranking.py")[0],
    "background": lambda: run_json("background.py")[0],
    "reading": reading.measure,
    "texts": texts,
    "words": words,
    "search40k": lambda: search(40_000, with_example=True),
    "cold": lambda: footprint.cold_search(collection(40_000)),
    "serving": serving,
    "search1m": lambda: search(1_000_000, with_example=False),
    "engine": lambda: run_json("engine.py", 200_000)[0],
    "answers": lambda: run_json("same_answers.py", 500)[0],
    "embedding": embedding.measure,
    "copies": copies,
    "memory": footprint.reading_memory,
    "size": footprint.installed_size,
}

if __name__ == "__main__":
    main()
