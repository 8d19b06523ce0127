"""What searches are told of copies among hits: by close looks, and by what people decided."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.copies.notes_file import RULE, notes_path
from lookalike.decisions import Different, different_among
from lookalike.errors import LookalikeError
from lookalike.open_collection import OpenCollection
from lookalike.records import Hit
from lookalike.search.copies import Contents, HowTold, Told

if TYPE_CHECKING:
    from lookalike.copies.notes import FoundMatch

_PATIENCE = 0.1  # seconds that a search waits for a file that is locked
_AMONG = """
SELECT one.content, other.content, found, pairs.checksum
FROM photos AS one JOIN pairs ON pairs.first = one.n JOIN photos AS other ON other.n = pairs.second
WHERE one.content IN ({marks}) AND other.content IN ({marks})
    AND (SELECT value FROM facts WHERE name = 'rule') = ?
"""
_log = logging.getLogger(__name__)


class ToldCopies:
    """Tells the searches of one collection what is known; may be used by several threads.

    It only reads: what cannot be read is as if it were not known, and nothing is made.
    """

    def __init__(self, opened: OpenCollection) -> None:
        self._opened = opened
        self._notes = _NotesReader(opened)
        self._decided: tuple[int, Different] = (-1, {})

    def told(self, hits: Sequence[Hit]) -> Told:
        """Return what is known of pairs of hits, as `search.copies.KnownCopies` says."""
        by_content = {hit.content_hash: hit for hit in hits}
        known: dict[Contents, HowTold | None] = {}
        if len(by_content) < len(hits):
            counts = Counter(hit.content_hash for hit in hits)
            known = {(each, each): _same_file for each, count in counts.items() if count > 1}
        for (first, second), found in self._notes.among(by_content).items():
            copies = by_content[first], by_content[second]
            known |= _told_of(*copies, found) if found is not None else _neither(first, second)
        for first, second in self._different(by_content):
            known |= _neither(first, second)
        return known

    def close(self) -> None:
        """Close what is open; the next use opens it again."""
        self._notes.close()

    def _different(self, contents: Collection[bytes]) -> Iterator[Contents]:
        """Yield pairs that people decided to be different; read anew where a decision has changed."""
        decisions = self._opened.engine().decisions
        seq = decisions.seq()
        if self._decided[0] != seq:
            self._decided = seq, different_among(decisions.all())
        different = self._decided[1]
        for first in contents if different else ():
            yield from ((first, second) for second in different.get(first, ()) if second in contents)


class _NotesReader:
    """Reads what close looks have found, from a file that others write, mend or throw away meanwhile."""

    def __init__(self, opened: OpenCollection) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, ...] = ()
        self._left_behind: list[sqlite3.Connection] = []
        self._has_warned = False

    def among(self, contents: Collection[bytes]) -> dict[Contents, FoundMatch | None]:
        """Return what comparing some contents has found, None for nothing, from the first to the second."""
        if len(contents) < 2:
            return {}
        rows = self._rows(_AMONG.format(marks=", ".join("?" * len(contents))), (*contents, *contents, RULE))
        if not rows:
            return {}
        from lookalike.copies.notes import sound_found  # a search from a cold start does without it

        found = {(first, second): sound_found(*told) for first, second, *told in rows}
        return {pair: told for pair, (is_sound, told) in found.items() if is_sound}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def _rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        try:
            path = notes_path(self._opened.path)
            with self._lock:
                try:
                    connection = self._reading(path)
                    return [] if connection is None else connection.execute(sql, values).fetchall()
                except sqlite3.Error:
                    self._close()
                    raise
        except (sqlite3.Error, OSError, LookalikeError) as error:
            if not self._has_warned:
                self._has_warned = True
                _log.warning("what close looks at copies found cannot be read just now: %s", error)
            return []

    def _reading(self, path: Path) -> sqlite3.Connection | None:
        """Return a connection to the file that lies there now; None where there is none."""
        try:
            stat = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._close()
            return None
        file = os.getpid(), stat.st_dev, stat.st_ino
        if self._connection is None or self._file != file:
            self._close()
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", timeout=_PATIENCE, check_same_thread=False, uri=True
            )
            self._file = file
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            if self._file[0] == os.getpid():
                self._connection.close()
            else:  # forked: the connection is the parent's
                self._left_behind.append(self._connection)
            self._connection = None


def _told_of(one: Hit, other: Hit, found: FoundMatch) -> dict[Contents, HowTold | None]:
    """Return what a close look at two photos has found, for each of them as the copy."""
    from lookalike.copies.describe import Link, how  # as above

    if found.match.level != "photo":
        return _neither(one.content_hash, other.content_hash)
    link = Link(found)
    return {
        (one.content_hash, other.content_hash): partial(how, one, other, link),
        (other.content_hash, one.content_hash): lambda: how(other, one, link.turned_round()),
    }


def _neither(first: bytes, second: bytes) -> dict[Contents, HowTold | None]:
    return {(first, second): None, (second, first): None}


def _same_file() -> tuple[str, ...]:
    return ("same file",)
