"""A truth about copies: photos, scripted edits of them, and what only looks like a copy.

python bench/copy_truth.py make FOLDER [--sources N] [--seed S]

Photos come from `LOOKALIKE_DATA`, as many of each set as there are. FOLDER gets the files and `truth.jsonl`,
which says of each what it is. Every second source, by its content, is of half 0, on which a rule may be
settled; half 1 is what it is judged by. The same seed writes the same pictures.

What a pair of files is, `Truth.relation` tells:

- source and edit of one photo are to be found, each edit counted by itself;
- two edits of one photo are copies, too, where both show all of it; else both answers are right;
- a second shot is the same scene and not the same photo;
- other photos are others, but for the true copies that lie among them (`copy_truth_known.json`, looked at
  one by one), for which both answers are right.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from common import DATA, need_data
from copy_edits import EDITS, Picture, Random
from copy_negatives import LAYOUTS, SHOTS, card

SETS = ("caltech50", "clothing", "coco256/images")
KNOWN = Path(__file__).with_name("copy_truth_known.json")
OTHERS = 3
"""So many photos that look most like a source are put beside it, of its kind and of its set."""
LAYOUT_FILES = 20
"""So many pictures of each layout."""


@dataclass(frozen=True)
class Entry:
    """A file of the truth.

    `origin` is the sha256 of the photo that it was made of, or is; for what was made of nothing, of the file.
    `kind` is "source", "edit", "shot", "other" or "layout", `name` which edit, shot, layout or kind of photo.
    """

    file: str
    origin: str
    kind: str
    name: str
    half: int


@dataclass(frozen=True)
class Relation:
    """What two files are to each other: "copy" (to be found), "free" (both answers are right) or "other".

    `name` says by which edit, or as what others are counted.
    """

    verdict: str
    name: str


@dataclass(frozen=True)
class Truth:
    """All files of a folder, and pairs of photos, by sha256, that are known to be copies."""

    folder: Path
    entries: tuple[Entry, ...]
    known: frozenset[frozenset[str]]

    @cached_property
    def by_file(self) -> dict[str, Entry]:
        """Return what each file is, by its path below the folder."""
        return {entry.file: entry for entry in self.entries}

    def path(self, entry: Entry) -> Path:
        """Return where a file lies."""
        return self.folder / entry.file

    def half(self, half: int) -> Truth:
        """Return the truth about one half of the photos."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.half == half))

    def asked(self) -> Iterator[tuple[Entry, Entry]]:
        """Yield each source with each edit of it."""
        sources = {entry.origin: entry for entry in self.entries if entry.kind == "source"}
        for entry in self.entries:
            if entry.kind == "edit":
                yield sources[entry.origin], entry

    def relation(self, one: Entry, other: Entry) -> Relation:
        """Return what two different files are to each other."""
        if one.origin != other.origin:
            if frozenset((one.origin, other.origin)) in self.known:
                return Relation("free", "known copies")
            return Relation("other", _name_of_others(one, other))
        shots = [entry.name for entry in (one, other) if entry.kind == "shot"]
        edits = [entry.name for entry in (one, other) if entry.kind == "edit"]
        if shots and edits:
            return Relation("other", "shots beside edits of the photo")
        if shots:
            return Relation("other", shots[0] if len(shots) == 1 else "two shots of one photo")
        if len(edits) == 1 and "source" in (one.kind, other.kind):
            return Relation("copy", edits[0])
        is_whole = len(edits) == 2 and all(EDITS[name].whole for name in edits)
        return Relation("copy" if is_whole else "free", "two edits")


def _name_of_others(one: Entry, other: Entry) -> str:
    if one.kind == other.kind == "layout" and one.name == other.name:
        return f"layout: {one.name}"
    kinds = {one.kind, other.kind}
    if kinds & {"edit", "shot"}:
        return "edits of other photos"
    return (
        "photos of one kind" if kinds <= {"source", "other"} and one.name == other.name else "other pictures"
    )


def main() -> None:
    """Make a truth as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("make", help="write photos, edits and truth.jsonl into FOLDER")
    command.add_argument("folder", type=Path)
    command.add_argument("--sources", type=int, default=300)
    command.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    need_data()
    truth = make(given.folder, given.sources, given.seed)
    print(f"{len(truth.entries):,} files in {given.folder}")


def make(folder: Path, sources: int, seed: int = 0, data: Path = DATA) -> Truth:
    """Write a truth of so many sources into a new or empty folder, and return it."""
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty; a truth needs a folder of its own")
    chosen, rest = _drawn(data, sources, seed)
    entries = [entry for photo in chosen for entry in _with_edits(folder, photo, seed)]
    beside = _nearest(chosen, rest)
    entries += [_written(folder, photo.entry("other"), photo.path.read_bytes()) for photo in beside]
    entries += _layouts(folder, [photo for photo in rest if photo not in set(beside)], seed)
    lines = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries)
    (folder / "truth.jsonl").write_text(lines, encoding="utf-8")
    return read(folder)


def read(folder: Path) -> Truth:
    """Return the truth that a folder holds."""
    try:
        lines = (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise SystemExit(f"{folder} has no truth.jsonl: python bench/copy_truth.py make {folder}") from None
    entries = tuple(Entry(**json.loads(line)) for line in lines)
    return Truth(folder, entries, known_pairs())


def known_pairs() -> frozenset[frozenset[str]]:
    """Return pairs of photos of the data, by sha256, that are copies of each other."""
    pairs = json.loads(KNOWN.read_text(encoding="utf-8"))["pairs"]
    return frozenset(frozenset(pair["sha256"]) for pair in pairs)


@dataclass(frozen=True)
class _Photo:
    """A photo of the data."""

    path: Path
    data: Path

    @property
    def kind(self) -> str:
        """Return its set and folder, such as clothing/hat."""
        return self.path.parent.relative_to(self.data).as_posix()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def half(self) -> int:
        return int(self.sha256[-1], 16) % 2

    def entry(self, kind: str, name: str = "", suffix: str = ".jpg") -> Entry:
        """Return what the truth says of a file that is it, or made of it."""
        folder = "/".join(part for part in (kind, _slug(name)) if part)
        file = f"{folder}/{self.sha256[:16]}{suffix}"
        return Entry(file, self.sha256, kind, name or self.kind, self.half)


def _drawn(data: Path, count: int, seed: int) -> tuple[list[_Photo], list[_Photo]]:
    """Return `count` photos, as many of each set as it has, and all others; each content once."""
    random = np.random.default_rng(seed)
    shuffled: list[list[_Photo]] = []
    seen: set[str] = set()
    for name in SETS:
        photos = [_Photo(path, data) for path in sorted((data / name).rglob("*.jpg"))]
        new = [photo for photo in photos if photo.sha256 not in seen]
        seen.update(photo.sha256 for photo in new)
        shuffled.append([new[at] for at in random.permutation(len(new))])
    available = sum(map(len, shuffled))
    if count > available:
        raise SystemExit(f"{data} has {available:,} photos, too few for {count:,} sources")
    chosen: list[_Photo] = []
    while len(chosen) < count:
        chosen += [photos.pop() for photos in shuffled if photos][: count - len(chosen)]
    return chosen, [photo for photos in shuffled for photo in photos]


def _with_edits(folder: Path, photo: _Photo, seed: int) -> Iterator[Entry]:
    """Write a source, its edits and second shots of it."""
    yield _written(folder, photo.entry("source"), photo.path.read_bytes())
    picture = _opened(photo.path)
    for name, edit in EDITS.items():
        random = random_of(seed, photo.sha256, name)
        made = edit.make(picture, random)
        quality = edit.quality or int(random.integers(80, 96))
        yield _saved(folder, photo.entry("edit", name, edit.suffix), made, quality)
    for name, shoot in SHOTS.items():
        random = random_of(seed, photo.sha256, name)
        shot = shoot(picture, random)
        if shot is not None:
            yield _saved(folder, photo.entry("shot", name), shot, int(random.integers(80, 96)))


def _layouts(folder: Path, photos: list[_Photo], seed: int) -> Iterator[Entry]:
    """Write pictures of one layout, and cards that each show one of the photos."""
    for name, draw in LAYOUTS.items():
        for at in range(LAYOUT_FILES):
            origin = hashlib.sha256(f"{seed} {name} {at}".encode()).hexdigest()
            made = draw(random_of(seed, origin, name), at)
            file = f"layout/{_slug(name)}/{at:03}.jpg"
            yield _saved(folder, Entry(file, origin, "layout", name, at % 2), made, 90)
    shown = np.random.default_rng(seed).permutation(len(photos))[:LAYOUT_FILES]
    for photo in (photos[at] for at in shown):
        made = card(_opened(photo.path), random_of(seed, photo.sha256, "card"))
        yield _saved(folder, photo.entry("layout", "card"), made, 90)


def _nearest(chosen: list[_Photo], rest: list[_Photo]) -> list[_Photo]:
    """Return the photos that look most like each source: of its own kind, and of its whole set."""
    if not rest:
        return []
    thumbnails = np.stack([_thumbnail(photo.path) for photo in rest])
    found: set[int] = set()
    for photo in chosen:
        far = np.abs(thumbnails - _thumbnail(photo.path)).mean(axis=1)
        for is_near in (photo.kind, photo.kind.split("/")[0]):
            among = [at for at, other in enumerate(rest) if f"{other.kind}/".startswith(f"{is_near}/")]
            found.update(sorted(among, key=lambda at: far[at])[:OTHERS])
    return [rest[at] for at in sorted(found)]


def _thumbnail(path: Path) -> npt.NDArray[np.float32]:
    return np.asarray(_opened(path).resize((16, 16)), np.float32).ravel()


def random_of(seed: int, origin: str, name: str) -> Random:
    """Return the generator for one picture, so that none depends on which others are made."""
    return np.random.default_rng([seed, *hashlib.sha256(f"{origin} {name}".encode()).digest()])


def _opened(path: Path) -> Picture:
    with Image.open(path) as photo:
        return ImageOps.exif_transpose(photo).convert("RGB")


def _written(folder: Path, entry: Entry, content: bytes) -> Entry:
    path = folder / entry.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return entry


def _saved(folder: Path, entry: Entry, picture: Picture, quality: int) -> Entry:
    path = folder / entry.file
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=quality)
    return entry


def _slug(name: str) -> str:
    """Return a name as a folder may be called anywhere."""
    words: Iterable[str] = "".join(char if char.isalnum() else " " for char in name).split()
    return "-".join(words)


if __name__ == "__main__":
    main()
