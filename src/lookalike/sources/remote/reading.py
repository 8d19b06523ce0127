"""The bytes that a uri stands for: an object, a member of a shard, a picture in a table."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from lookalike.errors import LookalikeError
from lookalike.records import FileStamp, Skipped
from lookalike.sources.remote.addresses import is_address, is_picture_table, split_member
from lookalike.sources.remote.any_store import aside
from lookalike.sources.remote.fetching import (
    MOST_BYTES,
    SUPPOSED,
    Ahead,
    Stretch,
    fetch,
    in_flight,
    refused,
    waited,
)
from lookalike.sources.remote.patience import Patience
from lookalike.sources.remote.ranges import opened
from lookalike.sources.remote.tables import Row, open_table
from lookalike.sources.remote.tars import read_entry
from lookalike.sources.remote.troubles import RemoteError, TooLargeError, Trouble
from lookalike.sources.uris import container_of, path_of

_MOST_KEPT = 256 << 20  # bytes of rows
_KEPT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """What to read: its uri, and the stamp that its listing gave it (None: it was not listed).

    Without their stamp, members of tar shards cannot be read; see `tars`.
    """

    uri: str
    stamp: FileStamp | None = None

    @property
    def size(self) -> int | None:
        """How many bytes it has, as far as that is known."""
        return self.stamp.size or None if self.stamp is not None else None


def read_objects(
    requests: Iterable[ObjectRequest],
    *,
    most_bytes: int = MOST_BYTES,
    ahead: Ahead | None = None,
    patience: Patience | None = None,
) -> Iterator[bytes | Skipped]:
    """Yield for each request, in order, the bytes or why they cannot be had.

    What is above `most_bytes` is refused, by what was listed before anything is fetched. What may pass is
    tried again (`Patience`); a reason is lasting only if it stays while the object is the same. Raises
    `MissingExtraError`.
    """
    patient = patience or Patience()

    def begin(request: ObjectRequest) -> tuple[int, Future[bytes]]:
        size = 0 if (request.size or 0) > most_bytes else request.size or SUPPOSED
        return size, _started(request, most_bytes, patient)

    for request, future in in_flight(requests, begin, ahead or Ahead()):
        yield _result(request, future)


def read_object(
    uri: str,
    stamp: FileStamp | None = None,
    *,
    most_bytes: int = MOST_BYTES,
    patience: Patience | None = None,
) -> bytes:
    """Return the bytes of one object, member or row; raises `RemoteError`, `MissingExtraError`."""
    return waited(_started(ObjectRequest(uri, stamp), most_bytes, patience or Patience()))


def _started(request: ObjectRequest, most_bytes: int, patience: Patience) -> Future[bytes]:
    """Begin to read it in the background."""
    shard = container_of(request.uri)
    if shard is None:
        return fetch(Stretch(request.uri, size=request.size), most_bytes, patience)
    if request.size is not None and request.size > most_bytes:
        return refused(TooLargeError(most_bytes))
    if is_picture_table(shard):
        return aside(lambda: _row_of(shard, request.uri, most_bytes, patience))
    stamp = request.stamp
    if stamp is None:
        return refused(RemoteError(Trouble("where it lies in its shard is not known")))
    if is_address(shard) and shard.lower().endswith(".tar"):
        return fetch(Stretch(shard, stamp.mtime_ns, stamp.size), most_bytes, patience)
    return aside(lambda: _member_of(shard, stamp, patience))


def _member_of(shard: str, stamp: FileStamp, patience: Patience) -> bytes:
    with opened(shard, path_of(shard), patience) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        return read_entry(file, stamp, packed=packed)


class _LastRows:
    """The group of rows that was read last: none is read alone, and who wants one often wants the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table, self._until = "", 0.0
        self._rows: dict[int, Row] = {}

    def get(self, table: str, number: int, most_bytes: int, patience: Patience) -> Row:
        with self._lock:
            if table == self._table and time.monotonic() < self._until and number in self._rows:
                return self._rows[number]
            with opened(table, path_of(table), patience) as file, open_table(file) as pictures:
                rows = pictures.rows_about(number, most_bytes)
            wanted = rows[number]
            if sum(len(row.content or b"") for row in rows.values()) <= _MOST_KEPT:
                self._table, self._rows, self._until = table, rows, time.monotonic() + _KEPT_SECONDS
            return wanted


_last_rows = _LastRows()


def _row_of(table: str, uri: str, most_bytes: int, patience: Patience) -> bytes:
    number = (split_member(uri) or ("", ""))[1]
    if not number.isdigit() or len(number) > 18:
        raise RemoteError(Trouble("it is not in its table"))
    row = _last_rows.get(table, int(number), most_bytes, patience)
    if row.content is None:
        raise RemoteError(Trouble(row.problem or "its row has no picture", is_lasting=True))
    return row.content


def _result(request: ObjectRequest, future: Future[bytes]) -> bytes | Skipped:
    try:
        content = waited(future)
    except RemoteError as error:
        return Skipped(request.uri, error.trouble.reason, request.stamp, lasting=error.trouble.is_lasting)
    except (OSError, LookalikeError) as error:
        reason = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        return Skipped(request.uri, reason, request.stamp, lasting=False)
    if not content:
        return Skipped(request.uri, "empty file", request.stamp)
    return content
