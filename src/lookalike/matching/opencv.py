"""OpenCV, where it is installed."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

from lookalike.errors import MissingExtraError

EXTRA = "copies"


def has_opencv() -> bool:
    """Whether photos can be compared closely."""
    return find_spec("cv2") is not None


@cache
def opencv() -> Any:
    """Return the module `cv2`, which works in the thread that calls it; raises `MissingExtraError`."""
    try:
        import cv2  # an extra: 150 MB
    except ImportError:
        raise MissingExtraError("comparing photos closely", EXTRA) from None
    cv2.setNumThreads(0)  # who compares has a thread on each processor already
    return cv2
