"""What rounds come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from torture.oracle import Problem


@dataclass
class Tally:
    """What one or many rounds of a kind came to."""

    rounds: int = 0
    seconds: float = 0.0
    faults: int = 0
    checked: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    """In how many rounds there was a problem of a sort."""
    history: list[str] = field(default_factory=list)
    """What each process was to do, and what it said."""

    def add(self, other: Tally) -> None:
        """Count another one in."""
        self.rounds += other.rounds
        self.seconds += other.seconds
        self.faults += other.faults
        self.checked += other.checked
        self.problems += other.problems
        self.notes += other.notes
        self.broken.update({each.what for each in other.problems})
