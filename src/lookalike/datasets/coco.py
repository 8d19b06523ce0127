"""The first photos of COCO val2014, read out of its 6 GB archive by HTTP ranges.

COCO (Lin et al. 2014, https://arxiv.org/abs/1405.0312) keeps the 40,504 photos of val2014 in one zip file.
Its table of contents (3 MB) says where each photo lies: a thousand photos cost 160 MB instead of 6 GB.

A photo is on disk whole or not at all: it is read into memory, which checks its CRC-32, written to a
temporary name and renamed. So a killed run goes on where it stopped; the photos are the only record.
"""

from __future__ import annotations

import io
import re
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lookalike.errors import FetchError, MissingExtraError, StorageError, UsageError

SOURCE = "COCO val2014"
VAL2014_URL = "http://images.cocodataset.org/zips/val2014.zip"
MAX_PHOTO_BYTES = 20 * 1024 * 1024
CONNECTIONS = 4
STALL_S = 20.0
RETRY_PAUSES_S = (0.3, 1.0, 3.0)

_PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_HALF_WRITTEN = ".lookalike-part"
_T = TypeVar("_T")


def fetch_val2014(
    folder: Path,
    count: int = 1000,
    *,
    url: str = VAL2014_URL,
    on_progress: Callable[[int, int], None] | None = None,
    connect_timeout_s: float = 5,
) -> int:
    """Put the first `count` photos of the archive, by name, into `folder` and return how many are there.

    Photos that are there with the right size are not fetched again. `on_progress` gets (there, wanted),
    always on the calling thread. Raises FetchError for whatever the network or the server does,
    StorageError for the disk, MissingExtraError without `remotezip`.
    """
    if count < 1:
        raise UsageError(f"{count} photos were asked for; ask for at least 1")
    archives = _Archives(url, connect_timeout_s)
    try:
        archives.check_reachable()
        make_folder(folder)
        photos = dict(sorted(_photos_by_name(archives.table_of_contents()).items())[:count])
        missing = {name: info for name, info in photos.items() if not is_there(folder / name, info.file_size)}
        report = on_progress or (lambda _there, _wanted: None)
        there = len(photos) - len(missing)
        report(there, len(photos))
        _fetch_all(archives, missing, folder, lambda fetched: report(there + fetched, len(photos)))
    finally:
        archives.close()
    return len(photos)


def photos_there(folder: Path) -> int:
    """Return how many whole photos of COCO val2014 the folder holds, without asking the network."""
    return sum(1 for path in folder.glob("COCO_val2014_*.jpg") if path.stat().st_size)


def safe_name(name: str) -> str:
    """Return the last part of a member's name, without anything that a file system reads as more than a name.

    >>> safe_name("val2014/../../C:evil.jpg")
    'C_evil.jpg'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", re.split(r"[/\\]", name)[-1])


def is_there(path: Path, size: int) -> bool:
    """Tell whether the file exists with exactly this many bytes."""
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def make_folder(folder: Path) -> None:
    """Create the folder where it is missing, and clear what a killed run left half-written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for half_written in folder.glob(f".*{_HALF_WRITTEN}"):
            half_written.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}") from error


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return one member's bytes, checked against its CRC-32; raises FetchError when it claims to be huge."""
    if info.file_size > MAX_PHOTO_BYTES:
        raise FetchError(
            f"{info.filename!r} claims {info.file_size:,} bytes, at most {MAX_PHOTO_BYTES:,} are read"
        )
    # zipfile stops at the size that the table of contents gives, so a member cannot unpack to more than that.
    return archive.read(info)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name never shows half of it, even when the process is killed."""
    temporary = path.with_name(f".{path.name}{_HALF_WRITTEN}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


def _photos_by_name(members: Iterable[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    photos: dict[str, zipfile.ZipInfo] = {}
    for info in members:
        name = safe_name(info.filename)
        if Path(name).suffix.lower() in _PHOTO_SUFFIXES and not name.startswith("."):
            photos.setdefault(name, info)
    return photos


def _fetch_all(
    archives: _Archives, missing: dict[str, zipfile.ZipInfo], folder: Path, on_fetched: Callable[[int], None]
) -> None:
    """Fetch the members over a few connections; `on_fetched` gets how many of them are on disk."""
    stopped = threading.Event()
    fetched = 0

    def fetch(name: str, info: zipfile.ZipInfo) -> bool:
        if stopped.is_set():
            return False
        try:
            write_whole(folder / name, archives.read(info))
        except BaseException:
            stopped.set()
            raise
        return True

    with ThreadPoolExecutor(CONNECTIONS, "fetch") as pool:
        try:
            for done in as_completed([pool.submit(fetch, name, info) for name, info in missing.items()]):
                if done.result():
                    fetched += 1
                    on_fetched(fetched)
        finally:
            stopped.set()  # after an error or Ctrl-C only the photos already on their way are waited for


class _Archives:
    """Open views of one remote archive, lent to one thread at a time; their troubles become FetchError."""

    def __init__(self, url: str, connect_timeout_s: float) -> None:
        try:
            # An extra, which only the demo needs; it brings requests and urllib3.
            import remotezip
            import requests
            import urllib3
        except ImportError as error:
            raise MissingExtraError("fetching COCO photos", "demo") from error
        self._remotezip: Any = remotezip
        self._session = requests.Session()
        self._session.headers["Accept-Encoding"] = "identity"  # remotezip reads the bytes as they are sent
        self._timeouts = (requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)
        self._failures = (
            # The first line is what the network raises, the second what damaged bytes make zipfile raise.
            *(OSError, remotezip.RemoteZipError, urllib3.exceptions.HTTPError),
            *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError),
        )
        self._url = url
        self._host = urlsplit(url).netloc or url
        self._connect_timeout_s = connect_timeout_s
        self._lock = threading.Lock()
        self._idle: list[zipfile.ZipFile] = []
        self._contents: dict[tuple[int, int | None], tuple[int, bytes]] = {}

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

    def table_of_contents(self) -> list[zipfile.ZipInfo]:
        """Return the archive's members."""
        return self._persist("the table of contents", lambda archive: archive.infolist())

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """Return the checked bytes of one member."""
        return self._persist(repr(info.filename), lambda archive: read_member(archive, info))

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            _close(self._idle.pop())
        self._session.close()

    def _ask_one_byte(self) -> int | Exception:
        try:
            with self._session.get(
                self._url, headers={"Range": "bytes=0-0"}, stream=True, timeout=self._connect_timeout_s
            ) as response:
                return response.status_code
        except Exception as error:
            return error  # raised by the thread that asked for it

    def _persist(self, what: str, use: Callable[[zipfile.ZipFile], _T]) -> _T:
        """Return what `use` makes of the archive, tried again a few times when the connection breaks."""
        for pause_s in (*RETRY_PAUSES_S, None):
            try:
                with self._lent() as archive:
                    return use(archive)
            except self._failures as error:
                # Who waited STALL_S for nothing should hear of it now, and not after as long again.
                if pause_s is None or self._is_timeout(error):
                    raise FetchError(f"{self._host} did not deliver {what}: {self._reason(error)}") from error
                time.sleep(pause_s)
        raise AssertionError("the last pause is None")

    @contextmanager
    def _lent(self) -> Iterator[zipfile.ZipFile]:
        with self._lock:
            archive = self._idle.pop() if self._idle else None
        archive = archive or self._open()
        try:
            yield archive
        except BaseException:
            _close(archive)  # nobody knows what its connection would send next
            raise
        with self._lock:
            self._idle.append(archive)

    def _open(self) -> zipfile.ZipFile:
        archive: zipfile.ZipFile = self._remotezip.RemoteZip(
            self._url,
            session=self._session,
            fetcher=self._fetcher,
            timeout=(self._connect_timeout_s, STALL_S),
        )
        return archive

    def _fetcher(self, url: str, session: Any, **options: Any) -> SimpleNamespace:
        """Return what remotezip fetches ranges with: its own way, but the table of contents only once."""
        plain = self._remotezip.RemoteFetcher(url, session, **options)
        return SimpleNamespace(fetch=partial(self._fetch, plain))

    def _fetch(self, fetcher: Any, data_range: tuple[int, int | None], stream: bool = False) -> Any:
        if stream:  # a member
            return fetcher.fetch(data_range, stream=True)
        if data_range not in self._contents:
            buffer = fetcher.fetch(data_range)
            self._contents[data_range] = (buffer.tell(), buffer.read())
        offset, data = self._contents[data_range]
        return self._remotezip.PartialBuffer(io.BytesIO(data), offset, len(data), stream=False)

    def _is_timeout(self, error: BaseException) -> bool:
        return any(isinstance(link, self._timeouts) for link in _chain(error))

    def _reason(self, error: Exception) -> str:
        """Return one short line; libraries wrap "Connection refused" in layers of their own words."""
        if self._is_timeout(error):
            return "no answer in time"
        plain = [link.strerror for link in _chain(error) if isinstance(link, OSError) and link.strerror]
        return " ".join((plain[-1] if plain else str(error) or type(error).__name__).split())[:300]


def _close(archive: zipfile.ZipFile) -> None:
    connection = archive.fp
    archive.close()
    if connection is not None:
        connection.close()  # ZipFile leaves open what it did not open itself


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
