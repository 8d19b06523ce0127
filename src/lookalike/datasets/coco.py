"""The photos of COCO val2014, read out of its 6 GB archive by HTTP ranges.

COCO (Lin et al. 2014, https://arxiv.org/abs/1405.0312) keeps the 40,504 photos of val2014 in one zip file.
Its table of contents (3 MB) says where each photo lies, so that no more is fetched than is wanted, and never
twice: the archive itself is not kept.

A photo is on disk whole or not at all: it is checked in memory against its CRC-32, written to a temporary
name and renamed. So a killed run goes on where it stopped; the photos, checked again, are the only record.
"""

from __future__ import annotations

import queue
import shutil
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from lookalike.datasets.files import is_whole, make_folder, safe_name, write_whole
from lookalike.datasets.remote_zip import RUN_BYTES, Member, RemoteZip, runs
from lookalike.errors import StorageError, UsageError

SOURCE = "COCO val2014"
VAL2014_URL = "http://images.cocodataset.org/zips/val2014.zip"
VAL2014_PHOTOS = 40_504
VAL2014_MEGABYTES = 6_645
CONNECTIONS = 4

_PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_SPARE_BYTES = 64 << 20
_LEAST_RUN_BYTES = 1 << 16

_OnProgress = Callable[[int, int], None]


def fetch_val2014(
    folder: Path,
    count: int | None = 1000,
    *,
    url: str = VAL2014_URL,
    on_progress: _OnProgress | None = None,
    connect_timeout_s: float = 5,
) -> int:
    """Put the first `count` photos of the archive, by name, into `folder` and return how many are there.

    None stands for all. Photos that are there whole are not fetched again. `on_progress` gets (there,
    wanted), always on the calling thread. Raises FetchError for whatever the network or the server does,
    StorageError for the disk, MissingExtraError without `remotezip`.
    """
    if count is not None and count < 1:
        raise UsageError(f"{count} photos were asked for; ask for at least 1")
    archive = RemoteZip(url, connect_timeout_s)
    try:
        archive.check_reachable()
        make_folder(folder)
        members = archive.table_of_contents(_photo_name)
        wanted = sorted(members, key=lambda member: member.name)[:count]
        missing = [member for member in wanted if not is_whole(folder / member.name, member.info)]
        _check_space(folder, missing)
        report = on_progress or (lambda _there, _wanted: None)
        there = len(wanted) - len(missing)
        report(there, len(wanted))
        _fetch_all(archive, missing, folder, lambda fetched: report(there + fetched, len(wanted)))
    finally:
        archive.close()
    return len(wanted)


def get_coco_val2014(
    folder: Path,
    *,
    url: str = VAL2014_URL,
    on_progress: _OnProgress | None = None,
    connect_timeout_s: float = 15,
) -> int:
    """Put all 40,504 photos into `folder`; see `fetch_val2014`."""
    return fetch_val2014(folder, None, url=url, on_progress=on_progress, connect_timeout_s=connect_timeout_s)


def photos_there(folder: Path) -> int:
    """Return how many whole photos of COCO val2014 the folder holds, without asking the network."""
    return sum(1 for path in folder.glob("COCO_val2014_*.jpg") if path.stat().st_size)


def _photo_name(info: zipfile.ZipInfo) -> str | None:
    """Return the name that a photo gets in the folder; None for what is no photo."""
    name = safe_name(info.filename)
    is_photo = Path(name).suffix.lower() in _PHOTO_SUFFIXES and not name.startswith(".")
    return name if is_photo else None


def _check_space(folder: Path, missing: list[Member]) -> None:
    """Raise StorageError where the photos will not find room."""
    needed = sum(member.info.file_size for member in missing)
    free = shutil.disk_usage(folder).free
    if missing and free < needed + _SPARE_BYTES:
        raise StorageError(
            f"{len(missing):,} photos need {needed / 1e9:.2f} GB in {folder}, but its disk has "
            f"{free / 1e9:.2f} GB free"
        )


def _fetch_all(
    archive: RemoteZip, missing: list[Member], folder: Path, on_fetched: Callable[[int], None]
) -> None:
    """Fetch the members over a few connections; `on_fetched` gets how many of them are on disk."""
    stopped = threading.Event()
    news: queue.SimpleQueue[Future[None] | None] = queue.SimpleQueue()  # None for a photo, else a run's end

    def keep(member: Member, data: bytes) -> bool:
        write_whole(folder / member.name, data)
        news.put(None)
        return not stopped.is_set()

    def fetch(run: list[Member]) -> None:
        if not stopped.is_set():
            archive.read_run(run, keep)

    # So small that all connections have something to do.
    share = sum(member.end - member.info.header_offset for member in missing) // CONNECTIONS
    wanted = runs(missing, min(RUN_BYTES, max(share, _LEAST_RUN_BYTES)))
    fetched, left = 0, len(wanted)
    with ThreadPoolExecutor(CONNECTIONS, "fetch") as pool:
        try:
            for run in wanted:
                pool.submit(fetch, run).add_done_callback(news.put)
            while left:
                ended = news.get()
                if ended is None:
                    fetched += 1
                    on_fetched(fetched)
                else:
                    left -= 1
                    ended.result()
        finally:
            stopped.set()  # after an error or Ctrl-C only the photos already on their way are waited for
