"""Random work by seed: files that come, change and go, and commands on the collection that holds them."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torture.driver import MODELS
from torture.jobs import Command
from torture.oracle import Oracle, random_vectors

BROKEN = b"no photo"

_COMMANDS = [
    *["add"] * 6,
    *["remove"] * 2,
    *["vote"] * 2,
    *["prune", "export", "import_vectors", "add_model", "use_model", "drop_model"],
    *["verify", "repair", "search", "refresh", "cli", "thumbnails"],
]
"""What there is to do, the frequent more than once."""


class World:
    """A folder with files to add and, on a `disk` of its own, the collection they go to."""

    def __init__(self, root: Path, dice: random.Random, kind: str) -> None:
        self.root, self.dice, self.kind = root, dice, kind
        self.files_folder, self.disk = root / "files", root / "disk"
        self.folder = self.disk / "c.lookalike"
        self.scratch = root / "scratch"
        for folder in (self.files_folder, self.disk, self.scratch):
            folder.mkdir(parents=True)
        self.oracle = Oracle(kind)
        self.contents: dict[str, str] = {}
        """The sha256 of the photo at each path; empty for a broken file."""
        self.rows: dict[str, list[str]] = {}
        """The texts of each table, by path."""
        self.removed: set[str] = set()
        """Texts that were ever removed by name."""
        self.whole: set[str] = set()
        """Spaces in which every item had a vector when they were last looked at."""
        self._made = dice.randrange(1 << 20) << 12

    def at(self, disk: Path) -> World:
        """Return the same world with a disk of another state, of which an oracle of its own takes care."""
        other = copy.copy(self)
        other.disk, other.folder = disk, disk / self.folder.name
        other.oracle = self.oracle.copy()
        return other

    def grow(self, count: int) -> None:
        """Put new files or rows there."""
        if self.kind == "text":
            path = self._table()
            self._write_rows(path, self.rows.get(path, []) + [self._text() for _ in range(count)])
            return
        for _ in range(count):
            self._made += 1
            self.put(self._path(f"{self._made}.png"), self._made)

    def put(self, path: str, seed: int) -> None:
        """Write the photo of a seed."""
        grid = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        pixels = np.kron(grid, np.ones((8, 8, 1), np.uint8))
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        content = hashlib.sha256(file.getvalue()).hexdigest()
        self._write(path, file.getvalue(), content)
        self.oracle.learn_photo(content, pixels)

    def churn(self) -> None:
        """Let some files come, change, move and go."""
        for _ in range(self.dice.randrange(1, 4)):
            change = self.dice.choice(["grow", "grow", "grow", "change", "move", "delete", "copy", "break"])
            (self._churn_rows if self.kind == "text" else self._churn_photos)(change)

    def command(self) -> Command:
        """Return something to do; most often it is adding."""
        do = self.dice.choice(_COMMANDS)
        if do == "add" or not self.oracle.ids():
            return self.add()
        made: Command | None = getattr(self, f"_{do}", lambda: {"do": do})()
        return made or self.add()

    def add(self, *, prune: bool = False) -> Command:
        """Return an add of everything, or sometimes of a part."""
        folders = [str(self.files_folder)]
        if self.dice.random() < 0.2:
            parts = [str(path) for path in sorted(self.files_folder.iterdir()) if path.is_dir()]
            folders = [self.dice.choice(parts)] if parts else folders
        return {"do": "add", "paths": folders, "prune": prune}

    def add_all(self) -> Command:
        """Return an add of everything there is."""
        return {"do": "add", "paths": [str(self.files_folder)]}

    def is_there(self, name: str) -> bool:
        """Whether a photo lies at a path, or a text stands in a file."""
        if self.kind == "text":
            return any(name in rows for rows in self.rows.values())
        return bool(self.contents.get(name))

    def _churn_photos(self, change: str) -> None:
        dice, photos = self.dice, sorted(path for path, content in self.contents.items() if content)
        if change == "grow" or len(photos) < 4:
            self.grow(dice.randrange(1, 12))
            return
        path = dice.choice(photos)
        if change == "change":
            self._made += 1
            self.put(path, self._made)
        elif change == "copy":
            self._made += 1
            content = Path(path).read_bytes()
            self._write(self._path(f"copy{self._made}.png"), content, self.contents[path])
        elif change == "break":
            self._made += 1
            self._write(self._path(f"broken{self._made}.png"), BROKEN, "")
        else:
            content = Path(path).read_bytes()
            Path(path).unlink()
            known = self.contents.pop(path)
            if change == "move":
                self._made += 1
                self._write(self._path(f"moved{self._made}.png"), content, known)

    def _churn_rows(self, change: str) -> None:
        dice, paths = self.dice, sorted(self.rows)
        if change in ("grow", "break") or not paths:
            self.grow(dice.randrange(1, 30))
            return
        path = dice.choice(paths)
        rows = list(self.rows[path])
        at = dice.randrange(len(rows))
        if change == "delete" and len(rows) > 2:
            del rows[at]
        elif change == "move":
            rows.insert(0, rows.pop(at))
        elif change == "copy":
            other = dice.choice(paths)
            self._write_rows(other, [*self.rows[other], rows[at]])
            return
        else:
            rows[at] = self._text()
        self._write_rows(path, rows)

    def _prune(self) -> Command:
        return self.add(prune=True)

    def _remove(self) -> Command:
        names = self._some(self.oracle.names())
        self.removed.update(names)
        return {"do": "remove", "targets": [self.oracle.id_of(name) for name in names]}

    def _vote(self) -> Command:
        item, value = self.dice.choice(self.oracle.ids()), self.dice.choice([1, 1, -1, 0])
        return {"do": "vote", "query": f"q{self.dice.randrange(8)}", "item": item, "value": value}

    def _add_model(self) -> Command:
        return {"do": "add_model", "name": list(MODELS[self.kind])[1]}

    def _drop_model(self) -> Command:
        return {"do": "drop_model", "name": list(MODELS[self.kind])[1]}

    def _use_model(self) -> Command | None:
        """One that lacks vectors would have them called damaged."""
        whole = [name for name in self.oracle.spaces() if name in self.whole - {"imported"}]
        return {"do": "use_model", "name": self.dice.choice(whole)} if whole else None

    def _export(self) -> Command:
        return {"do": "export", "folder": str(self.disk / f"export{self.dice.randrange(1 << 30)}")}

    def _search(self) -> Command:
        return {"do": "search", "items": self._some(self.oracle.ids())}

    def _repair(self) -> Command:
        return {"do": "verify", "repair": True}

    def _cli(self) -> Command:
        search = ["search", f"id:{self.dice.choice(self.oracle.ids())}"]
        return {
            "do": "cli",
            "words": self.dice.choice([["verify"], ["info"], search, ["verify", "--repair"]]),
        }

    def _import_vectors(self) -> Command | None:
        """Return an import of vectors for some of the items that are there."""
        self._made += 1
        vectors, names = self.scratch / f"{self._made}.npy", self.scratch / f"{self._made}.txt"
        here = [name for name in self.oracle.names() if self._is_unchanged(name)]
        some = self.dice.sample(here, min(len(here), 40))
        if not some:
            return None
        contents = [self.oracle.content_of(name) for name in some]
        np.save(vectors, random_vectors(contents))
        self.oracle.learn_imported(contents)
        if self.kind == "text":
            names = names.with_suffix(".jsonl")
            names.write_text("".join(json.dumps({"text": text}) + "\n" for text in some), encoding="utf-8")
        else:
            names.write_text("".join(f"{name}\n" for name in some), encoding="utf-8")
        return {"do": "import_vectors", "vectors": str(vectors), "names": str(names), "name": "imported"}

    def imported(self, command: Command) -> list[str]:
        """Return the names of the items that an import has vectors for."""
        lines = Path(command["names"]).read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["text"] for line in lines] if self.kind == "text" else lines

    def _some(self, those: list[Any]) -> list[Any]:
        return self.dice.sample(those, min(len(those), self.dice.randrange(1, 4)))

    def _is_unchanged(self, name: str) -> bool:
        """Whether what was added is what lies there, or nothing does: vectors go by names."""
        return self.kind == "text" or self.contents.get(name) in (None, self.oracle.content_of(name))

    def _path(self, name: str) -> str:
        folder = self.files_folder / f"{self.dice.randrange(4)}"
        folder.mkdir(exist_ok=True)
        return str(folder / name)

    def _table(self) -> str:
        return self._path(f"{self.dice.randrange(2)}.csv")

    def _text(self) -> str:
        self._made += 1
        return " ".join([f"text{self._made}", *(f"w{self.dice.randrange(60)}" for _ in range(6))])

    def _write(self, path: str, content: bytes, known: str) -> None:
        Path(path).write_bytes(content)
        self.contents[path] = known

    def _write_rows(self, path: str, rows: list[str]) -> None:
        Path(path).write_text("".join(f"{row}\n" for row in ["text", *rows]), encoding="utf-8")
        self.rows[path] = rows
