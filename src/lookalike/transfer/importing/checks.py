"""Whether vectors made elsewhere are those that a model gives."""

from __future__ import annotations

from itertools import islice

import numpy as np

from lookalike.decode.pool import DecodePool
from lookalike.decode.requests import PhotoRequest
from lookalike.decode.texts import clean
from lookalike.embedders import Embedder, TextEmbedder
from lookalike.errors import ModelMismatchError
from lookalike.records import Photo, Vectors
from lookalike.sources.uris import path_of
from lookalike.transfer.importing.arrays import unit_rows
from lookalike.transfer.importing.names import is_address, photo_uri
from lookalike.transfer.importing.source import ImportSource

_LOOKED_AT = 64  # rows, for
_COMPARED = 5  # that can be embedded
_EXACT, _LOSSY = 0.8, 0.4
"""The least score of a vector with what the model gives; other programs read and scale photos differently."""


def check_model(source: ImportSource, embedder: Embedder | TextEmbedder, decoder: DecodePool) -> None:
    """Embed some of the first photos or texts, as far as they are there, and compare.

    Raises `ModelMismatchError` where the vectors are most likely those of another model.
    """
    entries = list(islice(source.names.entries(source.kind), _LOOKED_AT))
    rows, problems = unit_rows(source.vectors.head(_LOOKED_AT))
    sound = {
        at: entry.value for at, entry in enumerate(entries[: len(rows)]) if entry.value and at not in problems
    }
    if isinstance(embedder, TextEmbedder):
        texts = {at: clean(value) for at, value in sound.items() if embedder.reach(value) >= len(value)}
        made = _texts(embedder, {at: text for at, text in texts.items() if text})
    else:
        made = _photos(embedder, decoder, {at: photo_uri(value, source.base) for at, value in sound.items()})
    if not made:
        return
    score = float(np.median([rows[at] @ row for at, row in made.items()]))
    if score < (_LOSSY if source.vectors.approximate else _EXACT):
        raise ModelMismatchError(
            f"the vectors are not those of the model {embedder.spec.name}: compared with what it gives for "
            f"{len(made)} of the same {source.kind}s, they score {score:.2f} where 1 is equal"
        )


def _texts(embedder: TextEmbedder, texts: dict[int, str]) -> dict[int, Vectors]:
    some = dict(islice(texts.items(), _COMPARED))
    return dict(zip(some, embedder.embed_texts(list(some.values())), strict=True)) if some else {}


def _photos(embedder: Embedder, decoder: DecodePool, uris: dict[int, str]) -> dict[int, Vectors]:
    made: dict[int, Vectors] = {}
    for at, uri in uris.items():
        if is_address(uri) or "\0" in uri:
            continue
        photo = decoder.photo(PhotoRequest(uri, path_of(uri), embedder.spec.view))
        if isinstance(photo, Photo) and photo.pixels is not None:
            made[at] = embedder.embed(photo.pixels[np.newaxis])[0]
        if len(made) == _COMPARED:
            break
    return made
