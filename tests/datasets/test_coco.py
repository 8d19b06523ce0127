"""COCO's photos, fetched from a server of our own that is as slow, rude or wrong as the test wants."""

from __future__ import annotations

import io
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lookalike.datasets import DATASETS, coco, files, find_dataset, remote_zip
from lookalike.errors import FetchError, MissingExtraError, StorageError, UsageError

pytest.importorskip("remotezip")


class RangeServer(ThreadingHTTPServer):
    """Serves one file by ranges and remembers them; `breaks` says which answers to cut short, and how."""

    daemon_threads = True

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data = data
        self.ranges: list[tuple[int, int]] = []
        self.status = 206
        self.delay_s = 0.0  # before every 30,000 bytes
        self.breaks = 0  # how many of the next answers with photos are cut in half
        self.stalls = False  # whether a cut answer hangs instead of ending
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/zips/val2014.zip"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RangeServer

    def do_GET(self) -> None:
        size = len(self.server.data)
        first, last = self._range(size)
        self.server.ranges.append((first, last))
        body = self.server.data[first : last + 1] if self.server.status in (200, 206) else b""
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        if self.server.status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        cut = self.server.breaks and last < size - 1 and len(body) > 20_000
        sent = body[: len(body) // 2] if cut else body
        for at in range(0, len(sent), 30_000):
            time.sleep(self.server.delay_s)
            self.wfile.write(sent[at : at + 30_000])
        if cut:
            self.server.breaks -= 1
            if self.server.stalls:
                self.server.over.wait(30)
            self.close_connection = True

    def _range(self, size: int) -> tuple[int, int]:
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "bytes=0-"))
        assert asked is not None
        first, last = asked.groups()
        if self.server.status == 200:
            return 0, size - 1
        if not first:
            return max(0, size - int(last)), size - 1
        return int(first), min(int(last or size), size - 1)

    def log_message(self, format: str, *args: object) -> None:
        pass


def photo_name(number: int) -> str:
    return f"COCO_val2014_{number:012d}.jpg"


def photo(number: int) -> bytes:
    """Bytes that compress as little as a photo does."""
    return random.Random(number).randbytes(30_000 + number)


def archive(names: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as written:
        for name, data in names.items():
            written.writestr(name, data)
    return file.getvalue()


PHOTOS = {photo_name(number): photo(number) for number in range(42, 62)}
VAL2014 = archive({"val2014/": b"", **{f"val2014/{name}": data for name, data in PHOTOS.items()}})


@pytest.fixture
def server():
    with RangeServer(VAL2014) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(remote_zip, "RETRY_PAUSES_S", (0.01, 0.02))


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_the_first_photos_by_name_arrive_whole(server, tmp_path):
    progress = []
    count = coco.fetch_val2014(
        tmp_path / "new" / "coco", 12, url=server.url, on_progress=lambda *now: progress.append(now)
    )
    assert count == 12
    assert files_in(tmp_path / "new" / "coco") == dict(sorted(PHOTOS.items())[:12])
    assert progress == [(there, 12) for there in range(13)]


def test_only_what_is_asked_for_is_downloaded(server, tmp_path):
    coco.fetch_val2014(tmp_path, 3, url=server.url)
    sent = sum(last - first + 1 for first, last in server.ranges)
    assert sent < 65_536 + 3 * 31_000  # the end of the archive, where its table of contents is, and 3 photos


def test_asking_for_more_than_there_are_gives_all(server, tmp_path):
    assert coco.fetch_val2014(tmp_path, 1000, url=server.url) == len(PHOTOS)
    assert files_in(tmp_path) == PHOTOS
    assert coco.photos_there(tmp_path) == len(PHOTOS)


def test_a_table_of_contents_as_long_as_the_real_one_is_fetched_once(server, tmp_path):
    # It does not fit into the 64 kB that are fetched first; the members are compressed, for a change.
    names = {f"val2014/{photo_name(number)}": b"photo %d " % number * 20 for number in range(2000)}
    server.data = archive(names, zipfile.ZIP_DEFLATED)
    assert coco.fetch_val2014(tmp_path, 40, url=server.url) == 40
    assert files_in(tmp_path)[photo_name(39)] == b"photo 39 " * 20
    assert len([1 for first, last in server.ranges if last - first > 50_000]) == 2


def test_zip64_as_in_an_archive_of_more_than_4_gb(server, tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    server.data = archive(PHOTOS)
    assert zipfile.stringEndArchive64 in server.data
    monkeypatch.undo()
    assert coco.fetch_val2014(tmp_path, 5, url=server.url) == 5


def test_photos_already_there_are_not_fetched_again(server, tmp_path):
    coco.fetch_val2014(tmp_path, 8, url=server.url)
    (tmp_path / photo_name(44)).write_bytes(b"cut short")
    server.ranges.clear()
    coco.fetch_val2014(tmp_path, 10, url=server.url)
    assert files_in(tmp_path) == dict(sorted(PHOTOS.items())[:10])
    fetched = [last - first for first, last in server.ranges if 20_000 < last - first < 65_535]
    assert len(fetched) == 2  # 44, and 50 with its neighbour 51
    assert sum(fetched) < 3 * 30_200


def test_a_killed_run_goes_on(server, tmp_path):
    server.delay_s = 0.05
    code = (
        "import sys, pathlib; from lookalike.datasets import fetch_val2014\n"
        "fetch_val2014(pathlib.Path(sys.argv[1]), url=sys.argv[2])"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path), server.url]) as run:
        while coco.photos_there(tmp_path) < 4 and run.poll() is None:
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    kept = {name: data for name, data in files_in(tmp_path).items() if not name.startswith(".")}
    assert 4 <= len(kept) < len(PHOTOS)
    assert kept.items() <= PHOTOS.items()
    (tmp_path / f".{photo_name(61)}.lookalike-part").write_bytes(b"half a pho")
    server.delay_s = 0
    progress = []
    coco.fetch_val2014(tmp_path, url=server.url, on_progress=lambda *now: progress.append(now))
    assert progress[0] == (len(kept), len(PHOTOS))
    assert files_in(tmp_path) == PHOTOS


def test_ctrl_c_ends_the_run_soon_and_leaves_whole_photos(server, tmp_path):
    def stop(there: int, wanted: int) -> None:
        if there == 3:
            raise KeyboardInterrupt

    server.delay_s = 0.02
    with pytest.raises(KeyboardInterrupt):
        coco.fetch_val2014(tmp_path, url=server.url, on_progress=stop)
    assert files_in(tmp_path).items() <= PHOTOS.items()
    assert 3 <= len(files_in(tmp_path)) <= 3 + 2 * coco.CONNECTIONS


@pytest.mark.parametrize("breaks", [2, 5])
def test_dropped_connections_are_taken_up_where_they_broke(server, tmp_path, breaks, monkeypatch):
    monkeypatch.setattr(coco, "CONNECTIONS", 1)
    server.breaks = breaks
    coco.fetch_val2014(tmp_path, url=server.url)
    assert server.breaks == 0
    assert files_in(tmp_path) == PHOTOS


def test_a_server_that_keeps_dropping_is_given_up(server, tmp_path):
    server.breaks = 1000
    with pytest.raises(
        FetchError, match=r"127\.0\.0\.1:\d+ did not deliver 'val2014/COCO_.*jpg': "
    ) as caught:
        coco.fetch_val2014(tmp_path, url=server.url)
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path).items() <= PHOTOS.items()


def test_a_stalled_transfer_is_given_up_without_trying_again(server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_zip, "STALL_S", 0.4)
    server.breaks, server.stalls = 1000, True
    started = time.monotonic()
    with pytest.raises(FetchError, match="no answer in time"):
        coco.fetch_val2014(tmp_path, url=server.url)
    assert time.monotonic() - started < 20
    assert server.breaks >= 1000 - 5 * coco.CONNECTIONS  # tried again only while photos came


def test_wrong_bytes_are_refused_and_not_left(server, tmp_path):
    where = VAL2014.index(PHOTOS[photo_name(43)]) + 1000
    server.data = VAL2014[:where] + bytes([VAL2014[where] ^ 1]) + VAL2014[where + 1 :]
    with pytest.raises(FetchError, match="Bad CRC-32"):
        coco.fetch_val2014(tmp_path, 3, url=server.url)
    assert files_in(tmp_path).items() <= PHOTOS.items()
    assert photo_name(43) not in files_in(tmp_path)


@pytest.mark.parametrize("cut", [slice(0, 300_000), slice(0, 10), slice(0, len(VAL2014) - 3)])
def test_a_damaged_archive_is_refused(server, tmp_path, cut):
    server.data = VAL2014[cut]
    with pytest.raises(FetchError, match="the table of contents"):
        coco.fetch_val2014(tmp_path, 3, url=server.url)


def test_a_member_that_claims_to_be_huge_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_PHOTO_BYTES", 30_000)
    with pytest.raises(FetchError, match="claims 30,042 bytes"):
        coco.fetch_val2014(tmp_path, 1, url=server.url)
    assert files_in(tmp_path) == {}


def test_names_that_point_elsewhere_are_harmless(server, tmp_path):
    evil = [
        "../../up.jpg",
        "/etc/root.jpg",
        "..\\..\\back.jpg",
        "val2014/C:drive.jpg",
        "x/.hidden.jpg",
        "a/..",
    ]
    server.data = archive(
        {name: photo(1) for name in evil} | {"run.sh": b"#!", "val2014/\N{SNOWMAN}.jpg": b"snow"}
    )
    folder = tmp_path / "a" / "b" / "c"
    coco.fetch_val2014(folder, url=server.url)
    assert set(files_in(folder)) == {"up.jpg", "root.jpg", "back.jpg", "C_drive.jpg", "_.jpg"}
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder] == []


def test_a_server_without_ranges_is_refused_at_once(server, tmp_path):
    server.status, server.data = 200, bytes(50_000_000)
    started = time.monotonic()
    with pytest.raises(FetchError, match="sends no parts of a file"):
        coco.fetch_val2014(tmp_path, url=server.url)
    assert time.monotonic() - started < 20


def test_another_answer_is_told(server, tmp_path):
    server.status = 404
    with pytest.raises(FetchError, match="answered 404"):
        coco.fetch_val2014(tmp_path, url=server.url)


def test_an_unreachable_server_is_known_at_once(tmp_path):
    with pytest.raises(FetchError, match=r"cannot be reached: .*refused"):
        coco.fetch_val2014(tmp_path / "coco", url=f"http://127.0.0.1:{closed_port()}/val2014.zip")
    assert not (tmp_path / "coco").exists()


def test_a_server_that_never_answers_is_known_in_time(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/val2014.zip"
        started = time.monotonic()
        with pytest.raises(FetchError, match="cannot be reached: no answer in time"):
            coco.fetch_val2014(tmp_path, url=url, connect_timeout_s=0.3)
        assert time.monotonic() - started < 4


def test_slow_names_cost_no_more_than_the_timeout(tmp_path, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: over.wait(20) and [])
    started = time.monotonic()
    with pytest.raises(FetchError, match="no answer in time"):
        coco.fetch_val2014(tmp_path, url="http://photos.invalid/val2014.zip", connect_timeout_s=0.3)
    assert time.monotonic() - started < 4
    over.set()


@pytest.mark.skipif(os.name != "posix", reason="a file in the folder's place")
def test_a_disk_that_cannot_be_written_is_not_taken_for_the_network(server, tmp_path):
    (tmp_path / "coco").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        coco.fetch_val2014(tmp_path / "coco", url=server.url)


def test_without_the_extra_the_install_line_is_given(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "remotezip", None)
    with pytest.raises(MissingExtraError, match=r"\[demo\]"):
        coco.fetch_val2014(tmp_path)


def test_neighbours_come_in_one_answer_and_in_their_order(server, tmp_path):
    assert coco.get_coco_val2014(tmp_path, url=server.url) == len(PHOTOS)
    assert files_in(tmp_path) == PHOTOS
    answers = [
        (first, last) for first, last in server.ranges if last - first > 20_000 and last < len(VAL2014) - 1
    ]
    assert coco.CONNECTIONS <= len(answers) <= 2 * coco.CONNECTIONS
    assert sum(last - first + 1 for first, last in answers) < 1.01 * sum(map(len, PHOTOS.values()))


def test_runs_end_at_gaps_and_at_their_size():
    def member(offset: int, size: int) -> remote_zip.Member:
        info = zipfile.ZipInfo(f"{offset}.jpg")
        info.header_offset = offset
        return remote_zip.Member(info.filename, info, offset + size)

    near = [member(at * 1000, 1000) for at in range(10)]
    far = [member(1_000_000, 1000), member(1_000_000 + 1000 + remote_zip.GAP_BYTES, 1000)]
    grouped = remote_zip.runs(reversed(near + far), 5000)
    assert [len(run) for run in grouped] == [5, 5, 1, 1]
    assert [len(run) for run in remote_zip.runs(near + far, 200_000)] == [10, 2]


def test_what_lies_there_is_held_against_its_checksum(server, tmp_path):
    coco.get_coco_val2014(tmp_path, url=server.url)
    damaged = bytearray(PHOTOS[photo_name(50)])
    damaged[1000] ^= 1  # of the same size, as a power cut may leave it
    (tmp_path / photo_name(50)).write_bytes(damaged)
    progress = []
    coco.get_coco_val2014(tmp_path, url=server.url, on_progress=lambda *now: progress.append(now))
    assert progress == [(19, 20), (20, 20)]
    assert files_in(tmp_path) == PHOTOS


def test_members_that_overlap_are_refused(server, tmp_path):
    start = VAL2014.index(b"PK\x01\x02")
    entry = VAL2014.index(photo_name(50).encode(), start) - len("val2014/") - 46
    where = VAL2014.index(photo_name(50).encode()) - len("val2014/") - 30
    changed = bytearray(VAL2014)
    changed[entry + 42 : entry + 46] = (where + 10).to_bytes(4, "little")  # into its neighbour
    server.data = bytes(changed)
    with pytest.raises(FetchError, match="did not deliver"):
        coco.get_coco_val2014(tmp_path, url=server.url)
    assert files_in(tmp_path).items() <= PHOTOS.items()


def test_a_full_disk_is_said_before_anything_is_fetched(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=500_000)
    monkeypatch.setattr(coco.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"20 photos need 0\.00 GB .* 0\.00 GB free"):
        coco.get_coco_val2014(tmp_path, url=server.url)
    assert files_in(tmp_path) == {}


def test_memory_stays_steady_however_long_the_answer_is(server, tmp_path, monkeypatch):
    names = {f"val2014/{photo_name(number)}": photo(number) * 30 for number in range(60)}
    server.data = archive(names)  # 54 MB
    monkeypatch.setattr(coco, "CONNECTIONS", 1)
    tracemalloc.start()
    try:
        server.data = bytes(server.data)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        coco.get_coco_val2014(tmp_path, url=server.url)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    # The server of this test, in the same process, copies one answer at a time.
    assert peak < remote_zip.RUN_BYTES + (8 << 20)


def test_data_sets_have_names():
    assert find_dataset("coco-val2014").get is coco.get_coco_val2014
    assert all(each.photos > 0 and each.megabytes > 0 for each in DATASETS)
    with pytest.raises(UsageError, match="there are coco-val2014, pypi-photos"):
        find_dataset("imagenet")


def test_none_is_not_a_number_of_photos(tmp_path):
    with pytest.raises(UsageError):
        coco.fetch_val2014(tmp_path, 0)
