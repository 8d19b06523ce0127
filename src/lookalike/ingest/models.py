"""Bringing a further model into a collection, and dropping one."""

from __future__ import annotations

from lookalike.embedders import COMPANION
from lookalike.embedders.loaded import AnyEmbedder
from lookalike.errors import (
    ModelMismatchError,
    UsageError,
)
from lookalike.ingest.add import fill_space, fill_spaces, refresh_indexes
from lookalike.open_collection import OpenCollection
from lookalike.records import OnStep, Space


def add_model(opened: OpenCollection, reference: str, on_step: OnStep) -> tuple[Space, int]:
    """Bring a further model into a collection; returns its space and how many items lack it."""
    store = opened.store()
    main = opened.space()
    embedder: AnyEmbedder = opened.embedders.load(reference, on_step)
    if embedder.spec.kind != main.kind:
        raise ModelMismatchError(
            f"{opened.path} holds {main.kind}s, but {embedder.spec.name} embeds {embedder.spec.kind}s"
        )
    space = opened.ensure_space(store, embedder)
    opened.companion_of(store, embedder, create=True)
    left = fill_space(opened, store, space, on_step)
    fill_spaces(opened, store, on_step)
    store.checkpoint()
    on_step("indexing", 0, None)
    refresh_indexes(opened, store)
    return space, left


def use_model(opened: OpenCollection, name: str) -> None:
    """Make a space the default one; raises `UsageError` where items would not be found in it any more."""
    opened.store().use_space(opened.space(name))


def drop_model(opened: OpenCollection, name: str) -> None:
    """Forget a space with its vectors, and the one that was filled beside it; refuses the default one."""
    space = opened.space(name)
    beside = [each for each in opened.engine().spaces() if each.reference == COMPANION + space.reference]
    if any(each.is_default for each in (space, *beside)):
        raise UsageError(f"{name} is the default; make another one that first: lookalike models use NAME")
    for each in (space, *beside):
        opened.drop_space(each)
