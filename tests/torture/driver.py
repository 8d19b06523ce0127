"""What a tortured process does: commands on one collection, and a line for each fact once it is acknowledged.

The models are fakes found by name, so that nothing is loaded; photos are decoded in the process itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import lookalike.embedders.load as loading
from helpers import CountingDecoder
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.errors import LookalikeError, ModelError, NotFoundError
from lookalike.faces.cli import main as command_line
from lookalike.faces.server.thumbnails import ThumbnailCache
from lookalike.indexing import live
from lookalike.models import DEFAULT_MODEL, DEFAULT_TEXT_MODEL
from lookalike.records import SearchOptions
from lookalike.transfer.transfer import ExportOptions, ImportRequest

MODELS = {"photo": {"fake-a": 32, "fake-b": 24}, "text": {"words-a": 16, "words-b": 24}}
"""Names and dimensions of the models by kind; the first stands for the bundled one."""

K = 5


def embedder(name: str) -> FakeEmbedder | FakeTextEmbedder:
    """Return the fake of a name, or the one that stands for a bundled model."""
    bundled = {DEFAULT_MODEL: "photo", DEFAULT_TEXT_MODEL: "text"}
    if name in bundled:
        return embedder(next(iter(MODELS[bundled[name]])))
    if name in MODELS["photo"]:
        fake = FakeEmbedder(MODELS["photo"][name], name=name)
        fake.spec = replace(fake.spec, reference=name)
        return fake
    if name in MODELS["text"]:
        return FakeTextEmbedder(MODELS["text"][name], name=name)
    raise ModelError(f"there is no model {name}")


@dataclass
class Driver:
    """One process at work on a collection; `tell` puts out a line whole."""

    folder: Path
    kind: str
    tell: Callable[[dict[str, Any]], None]

    def run(self, commands: list[dict[str, Any]], exact_up_to: int) -> None:
        """Do all commands, one after the other, whatever becomes of each."""
        loading.load_embedder = lambda reference, *_, **__: embedder(reference)
        live.EXACT_UP_TO = exact_up_to
        self.opened = Collection(self.folder, decoder=CountingDecoder())
        for number, command in enumerate(commands):
            try:
                said = getattr(self, command["do"])(**{k: v for k, v in command.items() if k != "do"})
                self.tell({"done": number, **(said or {})})
            except LookalikeError as error:
                self.tell({"failed": number, "error": type(error).__name__, "message": str(error)})
        try:
            self.opened.close()
        except LookalikeError as error:
            self.tell({"failed": len(commands), "error": type(error).__name__, "message": str(error)})

    def _committed(self, each: Any) -> None:
        self.tell({"uri": each.uri, "outcome": each.outcome, "id": each.item_id})

    def add(self, paths: list[str], prune: bool = False) -> dict[str, Any]:
        named = {"column": "text", "kind": "text"} if self.kind == "text" else {"kind": "photo"}
        report = self.opened.add(*paths, prune=prune, on_commit=self._committed, **named)  # type: ignore[arg-type]
        return {"found": report.found, "index": report.index_problem}

    def remove(self, targets: list[str | int]) -> dict[str, Any]:
        return {"removed": self.opened.remove(*targets)}

    def vote(self, query: str, item: int, value: int) -> None:
        self.opened.vote(query, item, value)

    def add_model(self, name: str) -> dict[str, Any]:
        return {"left": self.opened.add_model(name)[1]}

    def use_model(self, name: str) -> None:
        self.opened.use_model(name)

    def drop_model(self, name: str) -> None:
        self.opened.drop_model(name)

    def export(self, folder: str) -> dict[str, Any]:
        return {"rows": self.opened.export(folder, options=ExportOptions(jsonl=True)).rows}

    def import_vectors(self, vectors: str, names: str, name: str) -> None:
        request = ImportRequest(Path(vectors), Path(names), name=name, kind=self.kind)  # type: ignore[arg-type]
        self.opened.import_vectors(request, on_commit=self._committed)

    def serve(self, items: list[int], seconds: float, seed: int) -> None:
        """Stay open like a server: searches and votes, of which each is told."""
        end = time.monotonic() + seconds
        for number in serve_turns(seed):
            if time.monotonic() > end:
                return
            query, item, value = serve_vote(number, items)
            with contextlib.suppress(NotFoundError):  # someone removed it
                self.opened.vote(query, item, value)
                self.tell({"voted": [query, item, value]})
                self.search([item])

    def spoil(self, item: int) -> None:
        """Make a rescue of the store necessary: let it note an item as removed that is there."""
        with closing(sqlite3.connect(self.folder / "store.sqlite")) as connection, connection:
            connection.execute("INSERT OR REPLACE INTO removals VALUES (1, ?)", (item,))

    def die(self) -> None:
        """End as if killed, with the log as it is."""
        os.kill(os.getpid(), signal.SIGKILL)

    def refresh(self) -> None:
        self.opened.refresh_index()

    def verify(self, repair: bool = False) -> dict[str, Any]:
        report = self.opened.verify(repair=repair)
        named = [[each.what, each.detail, each.item_id] for each in report.damage]
        return {"damage": named, "repaired": len(report.repaired)}

    def search(self, items: list[int], space: str | None = None) -> dict[str, Any]:
        results = self.opened.answer(items, SearchOptions(K, space=space, rerank=False))
        told = [
            {
                "of": of,
                "hits": [[hit.id, hit.uri if hit.text is None else hit.text, hit.score] for hit in result],
                "recall": result.recall,
                "damaged": result.damaged,
            }
            for of, result in zip(items, results, strict=True)
        ]
        return {"answers": told}

    def search_all(self, seed: int) -> dict[str, Any]:
        """Search by some items in every space."""
        ids = [item.id for item in self.opened.items(limit=1_000_000)]
        some = random.Random(seed).sample(ids, min(len(ids), 6))
        told: dict[str, list[Any]] = {}
        for space in self.opened.spaces():
            told[space.name] = []
            for item_id in some:
                with contextlib.suppress(NotFoundError):  # it has no vector there yet
                    told[space.name] += self.search([item_id], space.name)["answers"]
        return {"spaces": told}

    def thumbnails(self) -> dict[str, Any]:
        cache = ThumbnailCache(self.folder)
        kept = wrong = 0
        for item in self.opened.items(limit=20):
            content = item.content_hash.hex()
            picture = f"picture of {content}".encode() * 20
            found = cache.get(content, 256)
            kept += found is not None
            wrong += found not in (None, picture)
            cache.put(content, 256, picture)
        cache.close()
        return {"kept": kept, "wrong": wrong}

    def items(self) -> dict[str, Any]:
        found = self.opened.items(limit=1_000_000)
        name = (lambda item: item.text) if self.kind == "text" else (lambda item: item.uri)
        return {"items": [[item.id, name(item), item.content_hash.hex()] for item in found]}

    def count(self) -> dict[str, Any]:
        facts = self.opened.info()
        spaces = [[space.name, space.is_default, space.missing, space.index] for space in facts.spaces]
        return {"count": facts.items, "spaces": spaces}

    def given(self) -> dict[str, Any]:
        return {
            "votes": [[each.query, each.item_id, each.value] for each in self.opened.votes()],
            "skipped": {each.uri: each.reason for each in self.opened.skipped()},
        }

    def cli(self, words: list[str]) -> dict[str, Any]:
        """Run the command line in this process: what it prints, and its exit code."""
        words = [*words, "--collection", str(self.folder)]
        out, err = io.StringIO(), io.StringIO()
        out.reconfigure = err.reconfigure = lambda **_: None  # type: ignore[attr-defined]
        sys.argv = ["lookalike", *words]
        code: Any = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                command_line.main()
            except SystemExit as end:
                code = end.code
        return {"code": code, "said": f"{out.getvalue()}{err.getvalue()}"}


def serve_turns(seed: int) -> range:
    """Return the numbers of the turns that `serve` can take."""
    return range(seed, seed + 1000)


def serve_vote(number: int, items: list[int]) -> tuple[str, int, int]:
    """Return the vote that `serve` gives in its turn of some number: query, item, value."""
    dice = random.Random(number)
    return f"s{number}", dice.choice(items), dice.choice([1, -1])


def exported(folder: Path) -> int | None:
    """Return how many rows an export holds; None where there is none, -1 for one that is not whole."""
    if not folder.exists():
        return None
    try:
        rows = len(np.load(folder / "vectors.npy"))
        lines = (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()
        return rows if [json.loads(line) for line in lines] and rows == len(lines) else -1
    except (OSError, ValueError):
        return -1


def put(line: dict[str, Any]) -> None:
    """Print a line whole."""
    os.write(1, json.dumps(line).encode() + b"\n")
