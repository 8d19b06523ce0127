"""Photos get their perceptual hash as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lookalike.matching.hashes import perceptual_hashes
from lookalike.records import PHASH, Photo


def with_hashes(photos: Sequence[Photo]) -> list[Photo]:
    """Return photos with their hash among their facts; those of known content, which has one, as they are.

    A photo in which there is too little to tell it from others gets none.
    """
    hashes = iter(perceptual_hashes([each.grey for each in photos if each.grey is not None]))
    return [each if each.grey is None else _with_hash(each, next(hashes)) for each in photos]


def _with_hash(photo: Photo, made: str | None) -> Photo:
    return photo if made is None else replace(photo, metadata={**photo.metadata, PHASH: made})
