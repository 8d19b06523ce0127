"""Shards and tables on the way in: each becomes as many photos as it holds, read from beginning to end."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from lookalike.decode.columns import facts_of
from lookalike.decode.requests import PhotoRequest
from lookalike.errors import LookalikeError
from lookalike.records import FileStamp, FoundFile, Skipped, View
from lookalike.sources.everywhere import WideWalk
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.remote.addresses import is_container, is_picture_table
from lookalike.sources.uris import path_of
from lookalike.store.scan import FileToRead, Scan
from lookalike.store.shards import ShardRead, ShardScan

_MANNER = "pictures 1"
"""Changes whenever shards and tables are read in another way, so that all are read anew."""

_MOST_BYTES = 1 << 30  # of one picture, as of one file
_Read = Generator[PhotoRequest | Skipped, None, int]


@dataclass(slots=True)
class Shards:
    """Reads shards and tables for one run, and counts in its walk what is left out of them.

    `read` are those that were read to their end: what is known of them and was not seen is gone.
    """

    walk: WideWalk
    scan: Scan
    read: list[str] = field(default_factory=list)

    @property
    def known(self) -> ShardScan:
        """What the walk found of shards, held against what is known."""
        return ShardScan(self.scan)

    def settle(self, *, afresh: bool) -> None:
        """Note what is known of all that were found; the unchanged ones need not be opened again."""
        self.known.settle(is_container, _MANNER, afresh=afresh)

    def requests(self, file: FileToRead, view: View) -> Iterator[PhotoRequest | Skipped | ShardRead]:
        """Yield what is in a shard or table, and at its end that it was read; or why it cannot be."""
        members = self._rows(file, view) if is_picture_table(file.uri) else self._members(file, view)
        try:
            count = yield from members
        except (LookalikeError, OSError) as error:
            yield _skipped(file, error)
            return
        self.known.end(file.uri)
        self.read.append(file.uri)
        yield ShardRead(file.uri, file.stamp, _MANNER, count)

    def vanished(self) -> dict[int, str]:
        """Return the items, by id, that are not in their shards any more."""
        return dict(each for shard in self.read for each in self.known.vanished(shard))

    def outdated_skips(self) -> list[str]:
        """Return the uris on record as skipped that are not in their shards any more."""
        return [uri for shard in self.read for uri in self.known.outdated_skips(shard)]

    def _members(self, file: FileToRead, view: View) -> _Read:
        """Yield the pictures of a tar shard; returns how many members are accounted for."""
        from lookalike.sources.remote import ranges, tars  # loads much that files do without
        from lookalike.sources.remote.troubles import RemoteError, Trouble

        count, rules = 0, self.walk.rules.at_root("")
        with ranges.brought_here(file.uri, path_of(file.uri)) as packed, tars.plain(packed) as tar:
            index = tars.index_of(tar)
            self.walk.inner_aside.update({"shard part": index.others} if index.others else {})
            for entry in index.pictures:
                reason = _left_out(rules, entry.name)
                if reason is not None:
                    self.walk.inner_excluded[reason] += 1
                    continue
                uri, content = tars.member_uri(file.uri, entry.name), b""
                if entry.problem is None and entry.size <= _MOST_BYTES:
                    tar.seek(entry.offset)
                    content = tar.read(entry.size)
                problem = entry.problem or _problem(content, entry.size)
                facts = {} if problem else tars.facts_beside(tar, index, entry)
                count += 1
                yield self._one(uri, entry.stamp, view, content, problem, facts)
        if index.ends is not None or not index.pictures:
            raise RemoteError(Trouble(index.ends or "a shard without pictures", is_lasting=True))
        return count

    def _rows(self, file: FileToRead, view: View) -> _Read:
        """Yield the pictures of a table; returns how many rows are accounted for."""
        from lookalike.sources.remote import ranges, tables  # loads much that files do without

        count = 0
        with ranges.opened(file.uri, path_of(file.uri)) as source, tables.open_table(source) as table:
            more = len(table.others)
            self.walk.inner_aside.update({"picture column": more} if more else {})
            for row in table.rows(_MOST_BYTES):
                content = row.content or b""
                stamp = FileStamp(len(content), row.number)
                count += 1
                yield self._one(f"{file.uri}#{row.number}", stamp, view, content, row.problem, row.facts)
            ranges.check_unchanged(source)
        return count

    def _one(  # what there is of one picture
        self,
        uri: str,
        stamp: FileStamp,
        view: View,
        content: bytes,
        problem: str | None,
        facts: dict[str, Any],
    ) -> PhotoRequest | Skipped:
        self.known.see(FoundFile(uri, stamp))
        if problem is not None:
            return Skipped(uri, problem, stamp)
        known = self.scan.known(uri, stamp.size)
        return PhotoRequest(uri, uri, view, known, stamp, content, facts=facts_of(facts, ""))


def _left_out(rules: Exclusions, name: str) -> str | None:
    """Return why a member is left out, by its own name or that of a folder it is in; None where it is not."""
    at = ""
    for part in name.split("/")[:-1]:
        at = f"{at}/{part}"
        if part not in ("", ".", "..") and (reason := rules.reason(at, part, is_folder=True)) is not None:
            return reason
        rules = rules.inside(at, ())
    return rules.reason(f"/{name}", name.rpartition("/")[2], is_folder=False)


def _problem(content: bytes, size: int) -> str | None:
    if size > _MOST_BYTES:
        return f"larger than {_MOST_BYTES >> 20:,} MiB"
    if len(content) < size:
        return "cut short with its shard"
    return None if content else "empty file"


def _skipped(file: FileToRead, error: LookalikeError | OSError) -> Skipped:
    """Say why a shard cannot be read, or not to its end."""
    trouble = getattr(error, "trouble", None)
    if trouble is not None:
        return Skipped(file.uri, trouble.reason, file.stamp, trouble.is_lasting)
    reason = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
    return Skipped(file.uri, reason, file.stamp, lasting=False)
