"""A zip archive on an HTTP server, read by ranges: its table of contents, and runs of neighbouring members.

A run is one request and one answer, read as it comes in: so many small members cost no more than their bytes,
and memory holds one member at a time.
"""

from __future__ import annotations

import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from lookalike.datasets.files import check_size
from lookalike.errors import FetchError, MissingExtraError

STALL_S = 20.0
RETRY_PAUSES_S = (0.3, 1.0, 3.0)
RUN_BYTES = 16 << 20
GAP_BYTES = 64 << 10
"""What lies between two wanted members and is read to spare a request."""

_BLOCK = 256 << 10
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # APPNOTE 4.3.7
_SIGNATURE = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: under which name it is wanted, and where its bytes end at the latest."""

    name: str
    info: zipfile.ZipInfo
    end: int


def runs(members: Iterable[Member], most_bytes: int = RUN_BYTES) -> list[list[Member]]:
    """Group members that lie near each other, up to so many bytes together, in the order of the archive."""
    grouped: list[list[Member]] = []
    for member in sorted(members, key=lambda each: each.info.header_offset):
        last = grouped[-1] if grouped else None
        if (
            last is not None
            and member.info.header_offset - last[-1].end <= GAP_BYTES
            and member.end - last[0].info.header_offset <= most_bytes
        ):
            last.append(member)
        else:
            grouped.append([member])
    return grouped


class RemoteZip:
    """One remote archive, to be read by several threads; troubles become FetchError."""

    def __init__(self, url: str, connect_timeout_s: float) -> None:
        try:
            # An extra; it brings requests and urllib3.
            import remotezip
            import requests
            import urllib3
        except ImportError as error:
            raise MissingExtraError("fetching COCO photos", "demo") from error
        self._remotezip: Any = remotezip
        self._session = requests.Session()
        self._session.headers["Accept-Encoding"] = "identity"  # the bytes are read as they are sent
        self._timeouts = (requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)
        self._failures = (
            # The first line is what the network raises, the second what damaged bytes make zipfile raise.
            *(OSError, remotezip.RemoteZipError, urllib3.exceptions.HTTPError),
            *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError),
        )
        self._url = url
        self._host = urlsplit(url).netloc or url
        self._connect_timeout_s = connect_timeout_s

    def check_reachable(self) -> None:
        """Ask for one byte, and raise FetchError unless the server answers in time and with that byte."""
        answers: list[int | Exception] = []
        # A request's own timeout does not bound the look-up of the name nor the number of its addresses.
        asking = threading.Thread(target=lambda: answers.append(self._ask_one_byte()), daemon=True)
        asking.start()
        asking.join(self._connect_timeout_s)
        answer = answers[0] if answers else TimeoutError()
        if isinstance(answer, Exception):
            raise FetchError(f"{self._host} cannot be reached: {self._reason(answer)}") from answer
        if answer == 200:
            raise FetchError(f"{self._host} sends no parts of a file (HTTP ranges), only all of {self._url}")
        if answer != 206:
            raise FetchError(f"{self._host} answered {answer} instead of 206 (a part of {self._url})")

    def table_of_contents(self, name_of: Callable[[zipfile.ZipInfo], str | None]) -> list[Member]:
        """Return those members that `name_of` gives a name, the first of each name."""
        infos, end = self._infos()
        starts = sorted({info.header_offset for info in infos} | {end})
        ends = dict(pairwise(starts))
        found: dict[str, Member] = {}
        for info in infos:
            name = name_of(info)
            if name is not None and info.header_offset in ends:
                found.setdefault(name, Member(name, info, ends[info.header_offset]))
        return list(found.values())

    def read_run(self, run: list[Member], keep: Callable[[Member, bytes], bool]) -> None:
        """Give the checked bytes of each member to `keep`, until that returns False.

        A connection that breaks is taken up again where it broke, a few times without any progress.
        """
        left, pauses = list(run), list(RETRY_PAUSES_S)
        while left:
            got = 0
            try:
                for member, data in self._members(left):
                    got += 1
                    if not keep(member, data):
                        return
                left = []
            except self._failures as error:
                pauses = list(RETRY_PAUSES_S) if got else pauses
                # Who waited STALL_S for nothing should hear of it now, and not after as long again.
                if not pauses or (self._is_timeout(error) and not got):
                    what = repr(left[got].info.filename)
                    raise FetchError(f"{self._host} did not deliver {what}: {self._reason(error)}") from error
                left = left[got:]
                time.sleep(pauses.pop(0))

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def _members(self, run: list[Member]) -> Iterator[tuple[Member, bytes]]:
        """Yield the members of a run as they come in."""
        for member in run:
            check_size(member.info)
        with self._range(run[0].info.header_offset, run[-1].end) as stream:
            for member in run:
                stream.skip_to(member.info.header_offset)
                yield member, _read_member(stream, member.info)

    @contextmanager
    def _range(self, start: int, end: int) -> Iterator[_Stream]:
        with self._session.get(
            self._url,
            headers={"Range": f"bytes={start}-{end - 1}"},
            stream=True,
            timeout=(self._connect_timeout_s, STALL_S),
        ) as response:
            if response.status_code != 206:
                raise OSError(f"it answered {response.status_code} instead of 206")
            yield _Stream(response.raw, start)

    def _infos(self) -> tuple[list[zipfile.ZipInfo], int]:
        """Return all members, and where the table of contents begins."""
        pauses = list(RETRY_PAUSES_S)
        while True:
            try:
                timeout = (self._connect_timeout_s, STALL_S)
                archive = self._remotezip.RemoteZip(self._url, session=self._session, timeout=timeout)
                with closing(archive.fp), archive:  # ZipFile leaves open what it did not open itself
                    return archive.infolist(), int(archive.start_dir)
            except self._failures as error:
                if not pauses or self._is_timeout(error):
                    raise FetchError(
                        f"{self._host} did not deliver the table of contents: {self._reason(error)}"
                    ) from error
                time.sleep(pauses.pop(0))

    def _ask_one_byte(self) -> int | Exception:
        try:
            with self._session.get(
                self._url, headers={"Range": "bytes=0-0"}, stream=True, timeout=self._connect_timeout_s
            ) as response:
                return response.status_code
        except Exception as error:
            return error  # raised by the thread that asked for it

    def _is_timeout(self, error: BaseException) -> bool:
        return any(isinstance(link, self._timeouts) for link in _chain(error))

    def _reason(self, error: Exception) -> str:
        """Return one short line; libraries wrap "Connection refused" in layers of their own words."""
        if self._is_timeout(error):
            return "no answer in time"
        plain = [link.strerror for link in _chain(error) if isinstance(link, OSError) and link.strerror]
        return " ".join((plain[-1] if plain else str(error) or type(error).__name__).split())[:300]


class _Stream:
    """The bytes of an archive from `at` on, as they come in."""

    def __init__(self, raw: Any, at: int) -> None:
        self._raw = raw
        self._at = at

    def read(self, count: int) -> bytes:
        """Return exactly so many bytes; raises `EOFError`."""
        parts = []
        while count:
            part = self._raw.read(min(count, _BLOCK))
            if not part:
                raise EOFError("the answer ended too early")
            parts.append(part)
            count -= len(part)
            self._at += len(part)
        return b"".join(parts)

    def skip_to(self, where: int) -> None:
        """Leave out what lies between."""
        if where < self._at:
            raise zipfile.BadZipFile("its members overlap")
        while self._at < where:
            self.read(min(where - self._at, _BLOCK))


def _read_member(stream: _Stream, info: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes, of the size and CRC-32 that the table of contents gives."""
    signature, _, flags, *_, name_length, extra_length = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    if signature != _SIGNATURE or flags & 1:
        raise zipfile.BadZipFile(f"no member that can be read where {info.filename!r} should be")
    stream.read(name_length + extra_length)
    data = stream.read(info.compress_size)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, info.file_size + 1)
    elif info.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(f"{info.filename!r} is compressed in an unusual way")
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {info.filename!r}")
    return data


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
