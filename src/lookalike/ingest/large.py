"""Large contents on their way to the decoders, which read them from files as they do any large photo."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from lookalike.decode.requests import PhotoRequest

LARGE = 48 << 20
"""Bytes from which on a content goes by a file: in memory, it would take from what its decoder may use."""


class LargeContents:
    """Files of contents that are under way, each until it is dropped, all until the end of the block."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._paths: dict[int, Path] = {}

    def set_aside(self, request: PhotoRequest, number: int) -> PhotoRequest:
        """Return a request as it is, or for a copy in a file where its content is large; raises `OSError`."""
        if request.content is None or len(request.content) < LARGE:
            return request
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lookalike-")
        path = Path(self._folder.name) / str(number)
        path.write_bytes(request.content)
        self._paths[number] = path
        return replace(request, path=str(path), content=None, is_copy=True)

    def drop(self, number: int) -> None:
        """Remove the file of a request that was answered."""
        path = self._paths.pop(number, None)
        if path is not None:
            path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()
