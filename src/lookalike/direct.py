"""Vectors of photos and texts without a collection."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

import numpy as np

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.embedders import Embedder, TextEmbedder
from lookalike.embedders.decoded import embed_decoded
from lookalike.embedders.loaded import AnyEmbedder, LoadedEmbedders
from lookalike.embedders.vectors import NO_DIRECTION, have_direction
from lookalike.errors import QueryError, UsageError
from lookalike.models import DEFAULT_MODEL, DEFAULT_TEXT_MODEL
from lookalike.progress import listening
from lookalike.records import Kind, OnStep, Photo, Skipped, Vectors, View
from lookalike.search.in_memory import as_vector_or_photo, is_picture, photo_of_picture
from lookalike.sources.paths import as_path

_AT_ONCE = 64

_LOADED: dict[str, LoadedEmbedders] = {}
_LOCK = threading.Lock()


def embed(  # all but the first by keyword
    things: Any,
    *,
    model: str | None = None,
    kind: Kind | None = None,
    device: str = "auto",
    on_step: OnStep | None = None,
) -> Vectors:
    """Return the vectors of photos or texts, `(n, dim)`, float32 rows of unit length, in order.

    Photos are paths, bytes, pictures of Pillow or arrays of RGB (uint8, height × width × 3); texts are `str`.
    `model` is named as for `Collection`; without one it is the default of photos, or of texts where `kind` is
    "text". Text alone could be meant as either, so that then `kind` (or `model`) must say. The vectors are
    those that a collection of the model stores. `on_step("embedding", done, total)` hears of progress.

    Raises `QueryError` for a photo that cannot be read, `UsageError`, `ModelError`.
    """
    given = [things] if _is_one(things) else list(things)
    if model is None and kind is None and given and all(isinstance(each, str) for each in given):
        raise UsageError('are these texts or paths of photos? Say kind="text" or kind="photo"')
    embedder = _embedder(model or (DEFAULT_TEXT_MODEL if kind == "text" else DEFAULT_MODEL), device)
    if kind not in (None, embedder.spec.kind):
        raise UsageError(f"the model {embedder.spec.name} is one for {embedder.spec.kind}s, not for {kind}s")
    blocks = [np.empty((0, embedder.spec.dim), np.float32)]
    done = 0
    with listening(on_step) as heard:
        for block in _blocks(embedder, given):
            lost = np.flatnonzero(~have_direction(block))
            if len(lost):
                raise QueryError(f"cannot embed number {done + lost[0]}: {NO_DIRECTION}")
            blocks.append(block)
            heard("embedding", done := done + len(block), len(given))
    return np.concatenate(blocks)


def _is_one(things: Any) -> bool:
    return (
        isinstance(things, str | PathLike | bytes)
        or is_picture(things)
        or (isinstance(things, np.ndarray) and things.ndim in (2, 3))
    )


def _embedder(model: str, device: str) -> AnyEmbedder:
    with _LOCK:
        loaded = _LOADED.setdefault(device, LoadedEmbedders(device=device))
    return loaded.load(model)


def _blocks(embedder: AnyEmbedder, given: list[Any]) -> Iterator[Vectors]:
    if isinstance(embedder, TextEmbedder):
        return _of_texts(embedder, given)
    return _of_photos(embedder, given)


def _of_texts(embedder: TextEmbedder, given: list[Any]) -> Iterator[Vectors]:
    for each in given:
        if not isinstance(each, str):
            raise UsageError(f"a text is str, got {type(each).__name__}")
    for at in range(0, len(given), _AT_ONCE):
        yield embedder.embed_texts(given[at : at + _AT_ONCE])


def _of_photos(embedder: Embedder, given: list[Any]) -> Iterator[Vectors]:
    with DecodePool() as pool:
        photos = map(_sound, pool.photos(_requests(given, embedder.spec.view)))
        for _, rows in embed_decoded(embedder, photos):
            yield rows


def _sound(answer: Photo | Skipped) -> Photo:
    if isinstance(answer, Skipped):
        raise QueryError(f"cannot embed {answer.uri}: {answer.reason}")
    return answer


def _requests(given: Iterable[Any], view: View) -> Iterator[PhotoRequest]:
    for at, each in enumerate(given):
        content = each
        if isinstance(each, str | PathLike):
            path = str(as_path(each).absolute())
            yield PhotoRequest(path, path, view)
            continue
        if is_picture(each):
            content = photo_of_picture(each)
        elif not isinstance(each, bytes):
            content = as_vector_or_photo(each)
        if not isinstance(content, bytes):
            kind = type(each).__name__
            raise UsageError(
                f"a photo is a path, bytes, a picture of Pillow or an array of pixels; got {kind}"
            )
        yield PhotoRequest(f"photo number {at}", "", view, content=content)
