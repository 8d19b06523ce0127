"""The real server for tests: it keeps its data through kills, hangs when told to, and ends with its users."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from milvus_fixture import TOOLS, MilvusServer, binary, milvus_server, need_milvus, own_milvus_server

__all__ = ["milvus_server", "own_milvus_server"]  # fixtures
pytestmark = pytest.mark.slow


def _until(what: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.1)
    return what()


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_data_are_there_after_a_kill_on_the_same_port(own_milvus_server: MilvusServer) -> None:
    from pymilvus import MilvusClient

    server, before = own_milvus_server, own_milvus_server.address
    client = MilvusClient(server.uri, timeout=5)
    client.create_collection("kept", dimension=4, consistency_level="Strong", timeout=20)
    client.insert("kept", [{"id": 7, "vector": [1.0, 0, 0, 0]}], timeout=10)
    client.close()
    pid = server.pid

    server.kill()
    assert not _alive(pid) and not server.running and not server.answers()
    server.restart()

    assert server.address == before
    client = MilvusClient(server.uri, timeout=5)
    assert _until(lambda: _ids(client) == [7], 60)
    client.close()


def _ids(client: object) -> list[int]:
    from pymilvus.exceptions import MilvusException

    try:
        return [row["id"] for row in client.query("kept", ids=[7], timeout=5)]  # type: ignore[attr-defined]
    except MilvusException:
        return []


def test_a_paused_server_hangs_and_goes_on(own_milvus_server: MilvusServer) -> None:
    own_milvus_server.pause()
    assert own_milvus_server.running and not own_milvus_server.answers()
    own_milvus_server.resume()
    assert _until(own_milvus_server.answers)


def test_it_ends_with_its_user_however_that_dies(tmp_path: Path) -> None:
    need_milvus()
    script = (
        f"import sys, time; sys.path.insert(0, {str(TOOLS)!r})\n"
        "from pathlib import Path\nfrom milvus_server import MilvusServer\n"
        f"s = MilvusServer(Path({str(tmp_path / 'm')!r}), temporary=True); s.start()\n"
        "print(s.pid, flush=True); time.sleep(600)"
    )
    user = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert user.stdout is not None
    with user, user.stdout:
        pid = int(user.stdout.readline())
        second = MilvusServer(tmp_path / "m")
        assert second.join()
        user.send_signal(signal.SIGKILL)
        user.wait()
    time.sleep(1)
    assert _alive(pid) and second.answers(), "another one still holds it"
    second.leave()
    assert _until(lambda: not _alive(pid))
    assert _until(lambda: not (tmp_path / "m").exists())


def test_a_start_that_fails_shows_the_end_of_the_log(tmp_path: Path) -> None:
    need_milvus()
    server = MilvusServer(tmp_path, {"mq": {"type": "no-such-queue"}})
    with pytest.raises(binary.MilvusStartError, match=r"(?s)server\.log.*queue"):
        server.start()
    assert not server.running


def test_nobody_gets_ports_that_another_has_or_that_are_in_use() -> None:
    both = [binary.reserve_ports(11) for _ in "ab"]
    assert not set(both[0][0]) & set(both[1][0])
    with socket.socket() as other:
        other.bind(("", both[0][0][4]))
        other.listen()
        for _, lock in both:
            os.close(lock)
        third, lock = binary.reserve_ports(11)
        os.close(lock)
        assert both[0][0][4] not in third


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(binary.MilvusMissingError, match="pip install --no-deps milvus"):
        binary.binaries()


def test_two_who_unpack_at_once_both_find_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_milvus()
    monkeypatch.setenv("LOOKALIKE_MILVUS_CACHE", str(tmp_path))
    found: list[set[str]] = []
    both = [
        threading.Thread(target=lambda: found.append({file.name for file in binary.binaries().iterdir()}))
        for _ in "ab"
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(found) == 2 and found[0] == found[1] and "milvus" in found[0]
    assert len(list(tmp_path.iterdir())) == 1, "nothing half unpacked is left"


def test_settings_go_over_those_that_are_there() -> None:
    assert binary.merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "d": {"e": 4}}) == {
        "a": {"b": 9, "c": 2},
        "d": {"e": 4},
    }


def test_the_shared_server_answers(milvus_server: MilvusServer) -> None:
    assert milvus_server.answers()
