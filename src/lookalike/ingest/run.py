"""What bringing in photos and bringing in texts have in common: the walk, the tally, the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from lookalike.engine.writing import ItemStore
from lookalike.records import Committed, OnStep, Space
from lookalike.reports import AddReport
from lookalike.sources.everywhere import WideWalk
from lookalike.store.scan import Scan

_WALK_PAGE = 1000


@dataclass(frozen=True, slots=True)
class IngestContext:
    """Where items go, and who is told about it.

    `on_step(name, done, total)` hears how far "looking" and "reading" are (`total` is None where it is not
    known); `on_commit` hears of each file or text once its outcome is on disk.
    """

    store: ItemStore
    space: Space
    on_step: OnStep
    on_commit: Callable[[Committed], None]

    def announce(self, committed: Sequence[Committed]) -> Counter[str]:
        """Say what has become of a batch; returns how many have each outcome."""
        for each in committed:
            self.on_commit(each)
        return Counter(each.outcome for each in committed)


def record_walk(walk: WideWalk, scan: Scan, on_step: OnStep) -> None:
    """Walk the files into the scan."""
    files = walk.files()
    seen = 0
    while page := list(islice(files, _WALK_PAGE)):
        scan.record(page)
        seen += len(page)
        on_step("looking", seen, None)


def report_of(tally: Counter[str], walk: WideWalk) -> AddReport:
    """Return the report of a run that had so many of each outcome, and of what its walk left out."""
    return AddReport(
        added=tally["added"],
        unchanged=tally["unchanged"],
        moved=tally["moved"],
        updated=tally["updated"],
        skipped=tally["skipped"],
        excluded=dict(walk.excluded),
        aside=dict(walk.aside),
    )
