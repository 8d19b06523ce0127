"""What an `add` comes to: which kind of items, which model, which spaces, and what is left to fill in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lookalike.decode.tables import Table
from lookalike.decode.texts import is_table
from lookalike.embed import TextEmbedder
from lookalike.errors import (
    FetchError,
    LookalikeError,
    MissingExtraError,
    ModelError,
    ModelMismatchError,
    StorageError,
    UsageError,
)
from lookalike.ingest.fill import Filling, fill_photos, fill_texts
from lookalike.ingest.photos import Ingest, ingest
from lookalike.ingest.texts import TextIngest, ingest_texts
from lookalike.open_collection import AnyEmbedder, Wiring
from lookalike.records import AddReport, Committed, Kind, OnStep, Space
from lookalike.sources.sources import kind_of
from lookalike.store import Store

_WITHOUT_A_MODEL = (FetchError, MissingExtraError, ModelError, ModelMismatchError, UsageError)


@dataclass(frozen=True, slots=True)
class Adding:
    """How items are added: see `Collection.add`."""

    column: str | None = None
    kind: Kind | None = None
    prune: bool = False
    on_step: OnStep = lambda *_: None
    on_commit: Callable[[Committed], Any] = lambda _: None


def add_items(wiring: Wiring, paths: list[Path], how: Adding) -> AddReport:
    """Read what lies at `paths`, fill the other spaces, and bring the indexes up to date."""
    kind = _kind(wiring, paths, how)
    if kind == "text":
        _check_columns(paths, how.column, has_items=wiring.kind() is not None)
    embedder = wiring.main_embedder(
        kind, how.on_step
    )  # an unknown model must not leave an empty collection behind
    store = wiring.store(create=True)
    space = wiring.ensure_space(store, embedder)
    companion = wiring.companion_of(store, embedder, create=True)
    if isinstance(embedder, TextEmbedder):
        texts = TextIngest(store, space, embedder, how.on_step, how.on_commit)
        report = ingest_texts(texts, paths, how.column, prune=how.prune)
    else:
        parts = Ingest(
            store, space, wiring.decoder, embedder, how.on_step, how.on_commit, companion=companion
        )
        report = ingest(parts, paths, prune=how.prune)
    problem = fill_spaces(wiring, store, how.on_step)
    how.on_step("indexing", 0, None)
    return replace(report, index_problem=refreshed(wiring, store) or problem)


def fill_spaces(wiring: Wiring, store: Store, on_step: OnStep) -> str | None:
    """Give every item its vector in every space; returns what hindered that, as one line."""
    if store.items.is_empty():
        return None
    problems = []
    for space in store.spaces():
        if not space.reference or not store.vectors(space).count_missing():
            continue
        try:
            fill_space(wiring, store, space, on_step)
        except _WITHOUT_A_MODEL as error:  # the other spaces can be filled all the same
            problems.append(str(error))
    return "; ".join(problems) or None


def fill_space(wiring: Wiring, store: Store, space: Space, on_step: OnStep) -> int:
    """Give the items that lack one their vector in a space; returns how many could not be read."""
    embedder = wiring.embedder_of(space)
    if isinstance(embedder, TextEmbedder):
        return fill_texts(store, space, embedder, on_step)
    companion = wiring.companion_of(store, embedder)
    return fill_photos(Filling(store, space, wiring.decoder, embedder, on_step, companion))


def add_model(wiring: Wiring, reference: str, on_step: OnStep) -> tuple[Space, int]:
    """Bring a further model into a collection; returns its space and how many items lack it."""
    store = wiring.store()
    main = wiring.space(store)
    embedder: AnyEmbedder = wiring.loaded(reference, on_step)
    if embedder.spec.kind != main.kind:
        raise ModelMismatchError(
            f"{wiring.path} holds {main.kind}s, but {embedder.spec.name} embeds {embedder.spec.kind}s"
        )
    space = wiring.ensure_space(store, embedder)
    wiring.companion_of(store, embedder, create=True)
    left = fill_space(wiring, store, space, on_step)
    fill_spaces(wiring, store, on_step)
    on_step("indexing", 0, None)
    refreshed(wiring, store)
    return space, left


def _kind(wiring: Wiring, paths: list[Path], how: Adding) -> Kind:
    """Return what the collection holds, or will hold; refuses to mix photos and texts."""
    given: Kind | None = "text" if how.column is not None else how.kind
    held = wiring.kind()
    found = given or (wiring.given_kind if held is None else None) or kind_of(paths)
    if held is None:
        return found or "photo"
    if found is not None and found != held:
        raise UsageError(
            f"{wiring.path} holds {held}s; put {found}s into a collection of their own with --collection"
        )
    return held


def _check_columns(paths: list[Path], column: str | None, *, has_items: bool) -> None:
    """Refuse a column that none of the tables named has, before anything is made or touched."""
    if column is None and has_items:  # each file is read by the column that it was read by before
        return
    problems = []
    for path in paths:
        if path.is_dir() or not is_table(str(path)):
            return
        try:
            Table(str(path), column).check_column()
        except UsageError as error:
            problems.append(f"{path}: {error}")
        except (LookalikeError, OSError):  # reading it says so
            return
    if problems and len(problems) == len(paths):
        raise UsageError(problems[0])


def refreshed(wiring: Wiring, store: Store) -> str | None:
    """Bring the indexes up to date; they are caches, so what hinders that is told and does no harm."""
    if store.items.is_empty():
        return None
    try:
        wiring.refresh_index()
    except StorageError as error:
        return str(error)
    return None
