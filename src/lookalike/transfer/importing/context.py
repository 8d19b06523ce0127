"""What the ways in for vectors of photos and of texts share: the parts of one import, and its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from lookalike.decode.pool import DecodePool
from lookalike.engine.writing import ItemStore
from lookalike.records import Committed, OnStep, Space, Vectors
from lookalike.store.commit import FilledVector
from lookalike.transfer.importing.names import Entry
from lookalike.transfer.importing.newcomers import DefaultModel
from lookalike.transfer.importing.source import ImportSource

READER = "import"
"""Is kept with skipped rows."""


def no_model(space: Space) -> DefaultModel:
    """Return what makes no new items beside those of a default space without a model."""
    return DefaultModel(
        None, refusal=f"not in the collection, and {space.name} has no model that could embed it"
    )


@dataclass(frozen=True, slots=True)
class ImportContext:
    """The parts that importing needs, and who is told about it.

    `default_model(space)` is what embeds new items for the default space, where the vectors are not for that.
    `on_step("importing", done, total)` hears of progress in rows, `on_commit` of each row once its outcome
    is on disk.
    """

    store: ItemStore
    decoder: DecodePool
    on_step: OnStep = lambda *_: None
    on_commit: Callable[[Committed], object] = lambda _: None
    default_model: Callable[[Space], DefaultModel] = no_model


@dataclass(slots=True)
class ImportRun:
    """What one run knows: where the vectors go, and the default space, in which new items are made."""

    parts: ImportContext
    source: ImportSource
    space: Space
    default: Space
    tally: Counter[str] = field(default_factory=Counter)
    _model: DefaultModel | None = None

    @property
    def is_default(self) -> bool:
        """Whether the vectors are for the default space."""
        return self.space.id == self.default.id

    def default_model(self) -> DefaultModel:
        """Return what embeds new items, opened when it is needed."""
        if self._model is None:
            self._model = self.parts.default_model(self.default)
        return self._model


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows: where they stand, what for, and their vectors `(n, dim)`, of which some have problems."""

    first: int
    entries: list[Entry]
    rows: Vectors
    problems: dict[int, str]


def fill_known(run: ImportRun, known: list[tuple[int, bytes, str, int]], page: Page) -> list[Committed]:
    """Give items their vector in the space, where they have none; returns what became of each."""
    having = set(run.parts.store.vectors(run.space).fetch([each[0] for each in known]).ids.tolist())
    rows: dict[int, FilledVector] = {}
    for item_id, content, _, at in known:
        if item_id not in having:  # the first of copies counts
            rows.setdefault(item_id, FilledVector(item_id, content, page.rows[at]))
    if rows:
        run.parts.store.fill(run.space, list(rows.values()))
    outcomes = []
    for item_id, _, uri, _ in known:
        outcomes.append(Committed(uri, "updated" if rows.pop(item_id, None) else "unchanged", item_id))
    return outcomes


def tell(run: ImportRun, committed: list[Committed]) -> None:
    """Count and tell what became of some rows."""
    for each in committed:
        run.tally["filled" if each.outcome == "updated" else each.outcome] += 1
        run.parts.on_commit(each)
