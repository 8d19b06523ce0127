"""What an `add` comes to: which kind of items, which model, which spaces, and what is left to fill in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lookalike.decode.tables import AS_FOUND, ReadAs, TableFile
from lookalike.decode.texts import is_table
from lookalike.embedders import TextEmbedder
from lookalike.engine.writing import ItemStore
from lookalike.errors import (
    FetchError,
    LookalikeError,
    MissingExtraError,
    ModelError,
    ModelMismatchError,
    NotFoundError,
    StorageError,
    UsageError,
)
from lookalike.ingest.fill import FillContext, fill_photos, fill_texts
from lookalike.ingest.photos import PhotoIngest, ingest_photos
from lookalike.ingest.texts import TextIngest, ingest_texts
from lookalike.open_collection import OpenCollection
from lookalike.records import Committed, Kind, OnStep, Space
from lookalike.reports import AddReport
from lookalike.sources.everywhere import kind_of
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.remote.addresses import Source, is_address
from lookalike.sources.uris import path_of

_MOST_REASONS = 3  # that are named
WITHOUT_A_MODEL = (FetchError, MissingExtraError, ModelError, ModelMismatchError, UsageError)
"""What is raised where a space's model cannot be had."""


@dataclass(frozen=True, slots=True)
class AddOptions:
    """How items are added: see `Collection.add`."""

    column: str | None = None
    read_as: ReadAs | None = None
    kind: Kind | None = None
    prune: bool = False
    afresh: bool = False
    exclude: tuple[str, ...] = ()
    on_step: OnStep = lambda *_: None
    on_commit: Callable[[Committed], Any] = lambda _: None


def add_items(opened: OpenCollection, paths: list[Source], options: AddOptions) -> AddReport:
    """Read what lies at `paths`, fill the other spaces, and bring the indexes up to date."""
    rules = Exclusions.of(options.exclude)
    kind = _kind(opened, paths, options, rules)
    is_new, had_folder = opened.kind() is None, opened.exists()
    if kind == "text":
        _check_columns(paths, options, has_items=opened.kind() is not None)
    embedder = opened.main_embedder(
        kind, options.on_step
    )  # an unknown model must not leave an empty collection behind
    store = opened.store(create=True)
    space = opened.ensure_space(store, embedder)
    companion = opened.companion_of(store, embedder, create=True)
    if isinstance(embedder, TextEmbedder):
        texts = TextIngest(store, space, options.on_step, options.on_commit, embedder)
        report = ingest_texts(
            texts,
            paths,
            options.column,
            read_as=options.read_as or AS_FOUND,
            prune=options.prune,
            afresh=options.afresh,
            rules=rules,
        )
    else:
        parts = PhotoIngest(
            store, space, options.on_step, options.on_commit, opened.decoder, embedder, companion
        )
        report = ingest_photos(parts, paths, prune=options.prune, afresh=options.afresh, rules=rules)
    if is_new and store.items.is_empty():
        _take_back(opened, store, paths, report, with_folder=not had_folder)
    problem = fill_spaces(opened, store, options.on_step)
    store.checkpoint()
    options.on_step("indexing", 0, None)
    return replace(report, index_problem=refresh_indexes(opened, store) or problem)


def _take_back(
    opened: OpenCollection, store: ItemStore, paths: list[Source], report: AddReport, *, with_folder: bool
) -> None:
    """Leave no empty collection behind; raises `NotFoundError` that says why it stayed empty."""
    reasons = [f"{_short(each.uri)}: {each.reason}" for each in store.items.skipped()]
    opened.discard(with_folder=with_folder)
    counts = [f"{count:,} {kind}{'s' * (count != 1)} left aside" for kind, count in report.aside.items()]
    counts += [f"{count:,} left out ({reason})" for reason, count in report.excluded.items()]
    more = [f"and {len(reasons) - _MOST_REASONS:,} more"] if len(reasons) > _MOST_REASONS else []
    told = "; ".join([*reasons[:_MOST_REASONS], *more, *counts]) or "there are no files"
    what = ", ".join(map(str, paths[:_MOST_REASONS]))
    raise NotFoundError(f"nothing in {what} could be taken in, so no collection was made: {told}")


def _short(uri: str) -> str:
    """Return how a skipped file is called where there is little room."""
    return uri.rpartition("/")[2] or uri if is_address(uri) else Path(path_of(uri)).name


def fill_spaces(opened: OpenCollection, store: ItemStore, on_step: OnStep) -> str | None:
    """Give every item its vector in every space; returns what hindered that, as one line."""
    if store.items.is_empty():
        return None
    problems = []
    for space in store.spaces():
        if not space.reference or not store.vectors(space).count_missing():
            continue
        try:
            fill_space(opened, store, space, on_step)
        except WITHOUT_A_MODEL as error:  # the other spaces can be filled all the same
            problems.append(str(error))
    return "; ".join(problems) or None


def fill_space(opened: OpenCollection, store: ItemStore, space: Space, on_step: OnStep) -> int:
    """Give the items that lack one their vector in a space; returns how many could not be read."""
    embedder = opened.embedder_of(space)
    if isinstance(embedder, TextEmbedder):
        return fill_texts(store, space, embedder, on_step)
    companion = opened.companion_of(store, embedder)
    return fill_photos(FillContext(store, space, opened.decoder, embedder, on_step, companion))


def _is_of_texts(options: AddOptions) -> bool:
    """Whether something is said of what only texts have."""
    return options.column is not None or options.read_as not in (None, AS_FOUND)


def _kind(opened: OpenCollection, paths: list[Source], options: AddOptions, rules: Exclusions) -> Kind:
    """Return what the collection holds, or will hold; refuses to mix photos and texts."""
    given: Kind | None = "text" if _is_of_texts(options) else options.kind
    held = opened.kind()
    found = given or (opened.given_kind if held is None else None) or kind_of(paths, rules, look=held is None)
    if held is None:
        return found or "photo"
    if found is not None and found != held:
        raise UsageError(
            f"{opened.path} holds {held}s; put {found}s into a collection of their own with --collection"
        )
    return held


def _check_columns(paths: list[Source], options: AddOptions, *, has_items: bool) -> None:
    """Refuse a column that none of the tables named has, before anything is made or touched."""
    if options.column is None and has_items:  # each file is read by the column that it was read by before
        return
    problems = []
    read_as = (options.read_as or AS_FOUND).after(AS_FOUND)
    for path in paths:
        if isinstance(path, str) or path.is_dir() or not is_table(str(path)):
            return
        try:
            TableFile(str(path), options.column, read_as=read_as).check_column()
        except UsageError as error:
            problems.append(f"{path}: {error}")
        except (LookalikeError, OSError):  # reading it says so
            return
    if problems and len(problems) == len(paths):
        raise UsageError(problems[0])


def refresh_indexes(opened: OpenCollection, store: ItemStore) -> str | None:
    """Bring the indexes up to date; they are caches, so what hinders that is told and does no harm."""
    if store.items.is_empty():
        return None
    try:
        opened.engine().refresh_indexes()
    except StorageError as error:
        return str(error)
    return None
