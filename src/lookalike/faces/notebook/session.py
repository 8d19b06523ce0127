"""Looking around in a collection: a query, its hits page by page, and the answers before it."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.collection import Collection
from lookalike.errors import NotFoundError
from lookalike.records import Hit, Item, SearchOptions, SearchResult, Words
from lookalike.search.arguments import AnyQuery, as_count, as_query
from lookalike.search.queries import Example, Query, Vector

_KEPT = 20  # answers to go back to; each may hold a photo that was brought


@dataclass(slots=True)
class Answer:
    """What is shown of one query so far: hits; or, with nothing asked, photos of the collection.

    `name` is what a photo that was brought as bytes is called, `result` holds the facts of the first page.
    """

    number: int
    query: Query
    name: str
    result: SearchResult | None = None
    shown: list[Hit | Item] = field(default_factory=list)
    more: bool = True
    offset: int = 0

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits that are shown, best first; none where nothing was asked."""
        return tuple(one for one in self.shown if isinstance(one, Hit))


class BrowseSession:
    """One way through a collection, `k` photos at a time; may be used by several threads."""

    def __init__(self, collection: Collection, k: int) -> None:
        self.collection = collection
        self._k = as_count(k)
        self._past: deque[Answer] = deque(maxlen=_KEPT)
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self.answer: Answer | None = None

    @property
    def can_go_back(self) -> bool:
        """Whether there is an answer before this one."""
        return bool(self._past)

    def start(self) -> Answer:
        """Return what is looked at: at first photos of the collection."""
        with self._lock:
            return self.answer or self._show(Answer(next(self._numbers), (), ""))

    def ask(self, query: AnyQuery, name: str = "your photo") -> Answer:
        """Answer a query; raises what `Collection.answer` does, and then nothing has changed."""
        with self._lock:
            return self._show(Answer(next(self._numbers), as_query(query), name))

    def ask_by_chance(self) -> Answer:
        """Answer a query by any photo of the collection."""
        found = self.collection.random_items(1)
        if not found:
            raise NotFoundError("there are no photos in this collection yet")
        return self.ask(found[0].id)

    def back(self) -> Answer:
        """Return to the answer before this one, as it was left; where there is none, nothing changes."""
        with self._lock:
            if self._past:
                self.answer = self._past.pop()
            return self.start()

    def more(self, number: int) -> list[Hit | Item]:
        """Add what comes next to the answer of this number; nothing if another is looked at by now."""
        with self._lock:
            answer = self.answer
            return self._extend(answer) if answer and answer.number == number and answer.more else []

    def name_of(self, answer: Answer, example: Example) -> str:
        """Name an example for people."""
        source = example.source
        if isinstance(source, Words):
            return f"“{source.text}”"
        if isinstance(source, Path):
            return source.name
        if isinstance(source, Vector):
            return "a vector"
        if isinstance(source, bytes):
            return answer.name
        try:
            return Path(self.collection.item(source).uri).name
        except NotFoundError:  # its vector was there a moment ago
            return f"item {source}"

    def _show(self, answer: Answer) -> Answer:
        self._extend(answer)
        if self.answer is not None:
            self._past.append(self.answer)
        self.answer = answer
        return answer

    def _extend(self, answer: Answer) -> list[Hit | Item]:
        found = self._hits(answer) if answer.query else self._photos(answer)
        answer.offset += self._k
        answer.shown.extend(found)
        return found

    def _hits(self, answer: Answer) -> list[Hit | Item]:
        options = SearchOptions(self._k, answer.offset, mark_copies=True, background=True)
        (result,) = self.collection.answer([answer.query], options)
        answer.result = answer.result or result
        answer.more = result.more
        return list(result.hits)

    def _photos(self, answer: Answer) -> list[Hit | Item]:
        after = answer.shown[-1].id if answer.shown else 0
        items = self.collection.items(limit=self._k, after=after)
        answer.more = len(items) == self._k
        return list(items)
