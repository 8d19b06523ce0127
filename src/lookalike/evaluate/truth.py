"""What is relevant to what: items of one label are to each other, or judgements say so one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.records import Ids

Grades = npt.NDArray[np.float64]

_MOST_NAMED = 3


class Truth(Protocol):
    """What is known of a collection's items, and what of it is odd, as `problems` of a line each."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is odd about it."""

    @property
    def candidates(self) -> Ids | None:
        """The items that are ranked, ascending; None for all of the collection."""

    @property
    def queries(self) -> Ids:
        """The items to search by: those to which something is relevant, ascending."""

    def relevant(self, query: int) -> tuple[Ids, Grades]:
        """Return the items that are relevant to one, never itself, ascending, and their grades above 0."""

    def label(self, item: int) -> str | None:
        """Return an item's label; None where it has none."""


class Labels:
    """One label for each of some items; those of one label are relevant to each other, with grade 1."""

    def __init__(self, labels: Mapping[int, str], problems: Sequence[str] = ()) -> None:
        self.given = labels
        """Each item's label, that of single ones included."""
        counts = Counter(labels.values())
        single = sorted(name for name, count in counts.items() if count < 2)
        self.names = tuple(sorted(name for name, count in counts.items() if count > 1))
        codes = {name: code for code, name in enumerate(self.names)}
        self.ids = np.array(sorted(labels), np.int64)
        self.codes = np.array([codes.get(labels[each], -1) for each in self.ids.tolist()], np.int64)
        order = np.argsort(self.codes, kind="stable")
        ends = np.searchsorted(self.codes[order], np.arange(len(self.names) + 1))
        self._members = [self.ids[order[one:end]] for one, end in pairwise(ends.tolist())]
        self.problems = tuple(problems)
        if single:
            said = "label has only one item" if len(single) == 1 else "labels have only one item each"
            self.problems += (f"{len(single):,} {said}, with nothing to be found: {named(single)}",)

    @property
    def candidates(self) -> Ids:
        """See `Truth`: all that have a label."""
        return self.ids

    @property
    def queries(self) -> Ids:
        """See `Truth`."""
        found: Ids = self.ids[self.codes >= 0]
        return found

    def relevant(self, query: int) -> tuple[Ids, Grades]:
        """See `Truth`."""
        members = self._members[self.codes[np.searchsorted(self.ids, query)]]
        others = members[members != query]
        return others, np.ones(len(others))

    def label(self, item: int) -> str | None:
        """See `Truth`."""
        at = int(np.searchsorted(self.ids, item))
        known = at < len(self.ids) and self.ids[at] == item and self.codes[at] >= 0
        return self.names[self.codes[at]] if known else None


@dataclass(frozen=True, slots=True)
class Judgements:
    """Grades of items for queries, 0 for "not relevant"; what was not judged is not relevant either.

    With `only_judged`, only judged items are ranked for a query (condensed lists, Sakai 2007): for judgements
    that cover little of the collection, such as votes.
    """

    grades: Mapping[int, Mapping[int, float]]
    problems: tuple[str, ...] = ()
    only_judged: bool = False

    @property
    def candidates(self) -> Ids | None:
        """See `Truth`."""
        if not self.only_judged:
            return None
        return np.array(sorted({item for judged in self.grades.values() for item in judged}), np.int64)

    @property
    def queries(self) -> Ids:
        """See `Truth`."""
        found = [query for query in self.grades if len(self.relevant(query)[0])]
        return np.array(sorted(found), np.int64)

    def relevant(self, query: int) -> tuple[Ids, Grades]:
        """See `Truth`."""
        pairs = sorted((item, grade) for item, grade in self.grades[query].items() if grade > 0)
        kept = [(item, grade) for item, grade in pairs if item != query]
        return np.array([item for item, _ in kept], np.int64), np.array([grade for _, grade in kept])

    def label(self, item: int) -> str | None:  # noqa: ARG002
        """See `Truth`: judgements have no labels."""
        return None


def named(names: Sequence[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
