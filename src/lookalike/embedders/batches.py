"""Batches in parts, each run by one thread, as many at once as there are cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_PHOTOS_PER_CALL = 8  # as fast as larger batches (docs/models.md), in less memory
_PHOTOS_PER_GPU_CALL = 64  # a GPU takes one call at a time, and wants it large

_T = TypeVar("_T")


class Batches:
    """Runs the parts of a batch.

    Each thread runs its part alone: threads inside one run would wait for each other at every layer, and
    longer still while decode workers use the same cores. On a GPU there is one thread.
    """

    def __init__(self, threads: int, *, on_gpu: bool, one_by_one: bool = False) -> None:
        self.threads = 1 if on_gpu else threads
        self.per_call = 1 if one_by_one else _PHOTOS_PER_GPU_CALL if on_gpu else _PHOTOS_PER_CALL
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="embed")

    def run(self, call: Callable[[npt.NDArray[np.uint8]], _T], pixels: npt.NDArray[np.uint8]) -> list[_T]:
        """Return what `call` gives for each part of a batch, in order."""
        parts = [pixels[at : at + self.per_call] for at in range(0, len(pixels), self.per_call)]
        if len(parts) == 1:  # in the caller's own thread: to wake another takes time
            return [call(parts[0])]
        return list(self._pool.map(call, parts))
