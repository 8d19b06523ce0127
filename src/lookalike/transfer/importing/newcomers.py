"""Items that an import brings along: embedded for the default space, too, so that they are whole at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from lookalike.embedders import TextEmbedder
from lookalike.embedders.loaded import AnyEmbedder
from lookalike.embedders.vectors import have_direction
from lookalike.ingest.batches import embed_photos
from lookalike.records import Passage, Photo, Space, Vectors

_Key = TypeVar("_Key", str, bytes)


@dataclass(frozen=True, slots=True)
class DefaultModel:
    """What embeds new items for the default space; without an embedder `refusal` says why none can be made.

    `companion` is the space that a `PairedEmbedder` fills beside.
    """

    embedder: AnyEmbedder | None
    companion: Space | None = None
    refusal: str = ""

    def photos(self, photos: Sequence[Photo]) -> tuple[dict[str, Vectors], dict[str, Vectors]]:
        """Return the rows `(dim,)` of decoded photos by uri, and those of the companion; others have none."""
        if not photos or self.embedder is None or isinstance(self.embedder, TextEmbedder):
            return {}, {}
        pixels = np.stack([photo.pixels for photo in photos if photo.pixels is not None])
        uris = [photo.uri for photo in photos]
        rows, paired = embed_photos(self.embedder, pixels, with_companion=self.companion is not None)
        return _with_direction(uris, rows), _with_direction(uris, paired)

    def texts(self, passages: Sequence[Passage]) -> dict[bytes, Vectors]:
        """Return the rows `(dim,)` of texts by their sha256; others have none."""
        texts = {each.content_hash: each.text for each in passages}
        if not texts or not isinstance(self.embedder, TextEmbedder):
            return {}
        return _with_direction(list(texts), self.embedder.embed_texts(list(texts.values())))


def _with_direction(keys: list[_Key], rows: Vectors) -> dict[_Key, Vectors]:
    if not len(rows):
        return {}
    found = zip(keys, rows, have_direction(rows), strict=True)
    return {key: row for key, row, has_direction in found if has_direction}
