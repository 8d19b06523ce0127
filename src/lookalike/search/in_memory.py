"""Queries that are no files: pictures of Pillow, arrays of pixels, vectors."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from lookalike.errors import UsageError
from lookalike.records import Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

_IN_PNG = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")


def is_picture(given: object) -> TypeGuard[Image]:
    """Whether something is a picture of Pillow; Pillow is not imported to find out."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(given, pillow.Image)


def photo_of_picture(picture: Image) -> bytes:
    """Return a picture of Pillow as the bytes of a photo that looks the same; raises `UsageError`."""
    out = BytesIO()
    try:
        exif, profile = picture.getexif(), picture.info.get("icc_profile")
        stored = picture if picture.mode in _IN_PNG else picture.convert("RGB")
        kept = {"icc_profile": profile} if profile and stored is picture else {}
        stored.save(out, "PNG", compress_level=1, exif=exif, **kept)
    except Exception as error:  # a picture that was opened is read only now, and may be damaged
        which = f"{picture.mode}, {picture.width} × {picture.height}"
        raise UsageError(f"cannot search by this picture ({which}): {error}") from error
    return out.getvalue()


def as_vector_or_photo(array: Any) -> Vectors | bytes:
    """Return an array of one dimension as float32, one of pixels as the bytes of a photo; or `UsageError`."""
    made = np.asarray(array)
    if made.ndim == 1 and np.issubdtype(made.dtype, np.number) and not np.iscomplexobj(made):
        return np.ascontiguousarray(made, np.float32)
    is_grey, is_colour = made.ndim == 2, made.ndim == 3 and made.shape[2] in (3, 4)
    if made.dtype == np.uint8 and (is_grey or is_colour) and made.size:
        from PIL import Image

        return photo_of_picture(Image.fromarray(np.ascontiguousarray(made)))
    more = "; for several vectors: search_many" if made.ndim == 2 else ""
    raise UsageError(
        "an array is a vector of one dimension, or pixels as uint8 of shape (height, width, 3); got "
        f"{made.dtype} of shape {made.shape}{more}"
    )
