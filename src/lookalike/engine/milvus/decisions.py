"""What was decided about copies in a collection in Milvus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lookalike.decisions import Decision, in_order
from lookalike.engine.milvus.books import Books, Entry

_DECISIONS, _CLOCK = "decision", "decision-clock"
_AT_ONCE = 900  # with the clock in one request, of which others see all or nothing


@dataclass(frozen=True, slots=True)
class MilvusDecisions:
    """The decisions; see `store.decisions.Decisions`.

    One that was withdrawn stays as an entry without a verdict, so that all is one kind of writing. Up to 900
    are kept all or none; of more, the first ones may be kept when the others fail.
    """

    books: Books
    moments: Callable[[], int]

    def put(self, decisions: Sequence[Decision]) -> None:
        """Keep decisions, each in the place of the former one on that pair; None withdraws.

        Of several on one pair the last one counts. Raises `UsageError` for what can be no decision.
        """
        ordered = {(each.first, each.second): each for each in map(in_order, decisions)}
        entries = [self._entry(each) for each in ordered.values()]
        for at in range(0, len(entries), _AT_ONCE):
            clock = Entry(_CLOCK, _CLOCK, {}, seq=self.moments())
            self.books.put([*entries[at : at + _AT_ONCE], clock])

    def all(self) -> Iterator[Decision]:
        """Yield all decisions in the order given."""
        entries = [each for page in self.books.pages(_DECISIONS) for each in page]
        for each in sorted(entries, key=lambda entry: entry.seq):
            if each.data["verdict"] is not None:
                first, second = (bytes.fromhex(each.data[name]) for name in ("first", "second"))
                yield Decision(first, second, each.data["verdict"], each.data["at"])

    def seq(self) -> int:
        """Return a clock of the decisions alone, which stands still while none changes."""
        clock = self.books.get(_CLOCK, [_CLOCK])
        return clock[0].seq if clock else 0

    def _entry(self, decision: Decision) -> Entry:
        first, second = decision.first.hex(), decision.second.hex()
        facts = {"first": first, "second": second, "verdict": decision.verdict, "at": decision.at}
        return Entry(_DECISIONS, f"{first} {second}", facts, seq=self.moments())
