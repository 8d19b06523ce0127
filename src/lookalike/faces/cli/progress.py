"""Progress on a terminal, and silence anywhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tqdm import tqdm

if TYPE_CHECKING:
    Bar = tqdm[Any]

_NAMES = {
    "fetching": "fetching photos",
    "looking": "looking for files",
    "reading": "reading",
    "checking": "checking names",
    "importing": "importing",
    "exporting": "exporting",
    "indexing": "building the index",
}


class StepProgress:
    """Shows the steps of a long command with rate and time left, on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._hidden = quiet or not sys.stderr.isatty()
        self._bar: Bar | None = None
        self._name = ""

    def step(self, name: str, done: int, total: int | None) -> None:
        """`done` of `total` (None: unknown) are through the step `name`."""
        if self._hidden:
            return
        if self._bar is None or name != self._name:
            self._close()
            is_bytes = name == "fetching the model"
            self._bar = tqdm(
                desc=_NAMES.get(name, name),
                total=total,
                initial=done,
                leave=False,
                dynamic_ncols=True,
                unit="B" if is_bytes else "it",
                unit_scale=is_bytes,
            )
            self._name = name
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
