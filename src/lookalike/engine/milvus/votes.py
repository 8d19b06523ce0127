"""Votes and credits of a collection in Milvus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from lookalike.engine.milvus.books import Books, Entry
from lookalike.engine.milvus.items import MilvusItems
from lookalike.errors import NotFoundError
from lookalike.records import Credit, Vote

_VOTES, _CREDITS = "vote", "credit"


class Moments:
    """Numbers that grow with time, on whatever machine they are drawn: microseconds since 1970."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """Draw the next one."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1000)
            return self._last


@dataclass(frozen=True, slots=True)
class MilvusVotes:
    """The votes; see `store.votes.Votes`. Their ids are the moments at which they were given."""

    books: Books
    items: Callable[[], MilvusItems]
    moments: Moments

    def put(self, query: str, item_id: int, value: int, space: str, at: str) -> None:
        """Keep a vote of 1 or −1 on an item as a hit of a query; 0 withdraws it. Raises `NotFoundError`."""
        entry = Entry(_VOTES, f"{item_id} {query}", {}, item=item_id)
        if not value:
            self.books.delete([entry])
            return
        item = self.items().get([item_id]).get(item_id)
        if item is None:
            raise NotFoundError(f"item {item_id} is not in this collection")
        facts = {"query": query, "value": value, "space": space, "at": at, "sha256": item.content_hash.hex()}
        self.books.put([Entry(_VOTES, entry.name, facts, item=item_id, seq=self.moments())])

    def put_copied(self, votes: Sequence[Vote]) -> None:
        """Keep votes as they were given in another collection, in their order."""
        entries = []
        for vote in votes:
            facts = {"query": vote.query, "value": vote.value, "space": vote.space, "at": vote.at}
            name, content = f"{vote.item_id} {vote.query}", vote.content_hash.hex()
            seq = self.moments()
            entries.append(Entry(_VOTES, name, {**facts, "sha256": content}, item=vote.item_id, seq=seq))
        self.books.put(entries)

    def page(self, *, query: str | None = None, after: int = 0, limit: int = -1) -> list[Vote]:
        """Return up to `limit` votes in the order in which they were given, beyond the id `after`."""
        entries = [each for page in self.books.pages(_VOTES, f"seq > {after}") for each in page]
        wanted = [each for each in entries if query in (None, each.data["query"])]
        wanted.sort(key=lambda entry: entry.seq)
        wanted = wanted[:limit] if limit >= 0 else wanted
        items = self.items().get([each.item for each in wanted])
        votes = []
        for each in wanted:
            content, item = bytes.fromhex(each.data["sha256"]), items.get(each.item)
            uri = item.uri if item is not None and item.content_hash == content else None
            query, value, space, at = (each.data[name] for name in ("query", "value", "space", "at"))
            votes.append(Vote(each.seq, query, each.item, value, space, at, content, uri))
        return votes


@dataclass(frozen=True, slots=True)
class MilvusCredits:
    """The credits; see `store.credits.Credits`."""

    books: Books
    moments: Moments

    def put(self, credit: Credit) -> None:
        """Keep a credit: a click counts once, a vote replaces an earlier one, 0 withdraws it."""
        entry = Entry(_CREDITS, f"{credit.kind} {credit.item_id} {credit.round}", asdict(credit))
        if credit.value:
            self.books.put([Entry(_CREDITS, entry.name, entry.data, item=credit.item_id, seq=self.moments())])
        else:
            self.books.delete([entry])

    def all(self) -> Iterator[Credit]:
        """Yield all credits in the order given."""
        entries = [each for page in self.books.pages(_CREDITS) for each in page]
        for each in sorted(entries, key=lambda entry: entry.seq):
            yield Credit(**each.data)
