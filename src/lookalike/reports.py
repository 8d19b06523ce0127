"""What commands come to: the values that callers are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # decode workers import this module and start faster without numpy
    pass
from lookalike.records import Kind


@dataclass(frozen=True, slots=True)
class AddReport:
    """What one `add` did. `found` is the sum of the five outcomes.

    `vanished` counts the items below the folders given whose file is gone, although its folder is there,
    lastingly holds no photo any more, is that of another item by a link, or (with `prune`) is left out now;
    `pruned` of them were removed. `absent` names the paths and addresses where nothing lies, and the folders
    that are empty where items were: nothing of theirs was touched.
    """

    added: int = 0
    unchanged: int = 0
    moved: int = 0
    updated: int = 0
    skipped: int = 0
    vanished: int = 0
    pruned: int = 0
    absent: tuple[Path | str, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    """What the walk left out, by reason: "hidden", "defaults" (bins, snapshots, previews), "patterns" (of
    --exclude and ignore files), ".nomedia", "links" (further ways to what was found), "collections"."""
    aside: Mapping[str, int] = field(default_factory=dict)
    """Files that never claimed to be what was looked for, by kind, such as "video" or "sidecar"."""
    index_problem: str | None = None
    """Why the index could not be brought up to date; search goes on without it."""
    copies: int = 0
    """Texts that stand at another place, too."""
    split: int = 0
    """Texts longer than the model reads at once, that became several passages."""
    empty: int = 0
    """Rows without a text."""
    unreadable: int = 0
    """Texts that were embedded although the model knows hardly any of their words."""
    remarks: tuple[str, ...] = ()
    """What else is to be known of the texts that were read, each as one line."""

    @property
    def found(self) -> int:
        """How many files the walk came across."""
        return self.added + self.unchanged + self.moved + self.updated + self.skipped


@dataclass(frozen=True, slots=True)
class RelocateReport:
    """What following photos to another place did: how many were `moved`, uri and reason of those `left`."""

    moved: int
    left: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """One space: how many vectors, how they are searched, and how much of the truth that finds.

    `index` is "exact", "ivf" or "none yet"; `recall` is the measured share of true 10 nearest neighbours.
    """

    name: str
    model_id: str
    dim: int
    vectors: int
    index: str
    recall: float | None
    index_bytes: int
    is_default: bool = True
    takes_words: bool = False
    """Whether it can be searched by words."""
    kind: Kind = "photo"
    approximate: bool = False
    missing: int = 0
    """Items that have no vector in it yet; the next `add` brings them."""


@dataclass(frozen=True, slots=True)
class Info:
    """The facts of a collection; `path` is where it is, a folder or an address of Milvus."""

    path: object
    items: int
    skipped: int
    store_bytes: int
    spaces: tuple[SpaceInfo, ...]
    kind: Kind = "photo"
