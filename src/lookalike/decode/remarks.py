"""What was noticed while files were read, to be told: each thing once, how often, and where first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_NAMED = 3  # places of each


@dataclass(slots=True)
class _Noticed:
    count: int = 0
    places: list[str] = field(default_factory=list)


class Remarks:
    """Things that were noticed, each with a count and its first places (a file, or a row of one)."""

    def __init__(self) -> None:
        self._noticed: dict[str, _Noticed] = {}

    def note(self, what: str, places: Iterable[str], count: int = 1) -> None:
        """Note something seen `count` times, for the first times at `places`."""
        noticed = self._noticed.setdefault(what, _Noticed())
        noticed.count += count
        noticed.places += [*places][: _NAMED - len(noticed.places)]

    def add(self, others: Remarks) -> None:
        """Take over what others noticed."""
        for what, noticed in others._noticed.items():
            self.note(what, noticed.places, noticed.count)

    def lines(self) -> tuple[str, ...]:
        """Return a line for each thing: what, and where."""
        return tuple(
            f"{what}: {', '.join(noticed.places)}"
            + (f" and {noticed.count - len(noticed.places):,} more" * (noticed.count > len(noticed.places)))
            for what, noticed in self._noticed.items()
        )
