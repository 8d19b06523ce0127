"""Progress on a terminal and in a notebook, and silence anywhere else."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lookalike.records import OnStep

if TYPE_CHECKING:
    from tqdm import tqdm

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


@contextmanager
def listening(on_step: OnStep | None) -> Iterator[OnStep]:
    """Give who hears of the steps of a call: `on_step`; where nobody listens, bars in a notebook."""
    if on_step is not None or not is_notebook():
        yield on_step or unheard
        return
    with StepProgress(shown=True) as progress:
        yield progress.step


def is_notebook() -> bool:
    """Whether this runs in the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


def unheard(*_: Any) -> None:
    """Stand in for a listener that nobody gave."""


class StepProgress:
    """Shows the steps of a long command with rate and time left: on standard error, where that is a terminal.

    With `shown`, wherever it is; in a notebook as one of its own bars, where it has what that needs.
    """

    def __init__(self, *, quiet: bool = False, shown: bool = False) -> None:
        self._hidden = quiet or not (shown or sys.stderr.isatty())
        self._bar: Bar | None = None
        self._name = ""

    def step(self, name: str, done: int, total: int | None) -> None:
        """`done` of `total` (None: unknown) are through the step `name`."""
        if self._hidden:
            return
        if self._bar is None or name != self._name:
            self._close()
            is_bytes = name == "fetching the model"
            self._bar = _bar(
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


def _bar(**options: Any) -> Bar:
    """Return a bar: that of notebooks in one that shows widgets, else of text."""
    has_widgets = is_notebook() and importlib.util.find_spec("ipywidgets")
    bar: Bar = importlib.import_module("tqdm.notebook" if has_widgets else "tqdm").tqdm(**options)
    return bar
