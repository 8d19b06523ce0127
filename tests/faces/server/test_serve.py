"""`lookalike serve` as a process: what it says, who gets in, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.faces.server.access import Access
from lookalike.faces.server.run import ServeOptions, _address, _listening


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_photo):
    folder = tmp_path_factory.mktemp("serve")
    for seed in range(6):
        make_photo(folder / "photos" / f"{seed}.png", seed)
    with Collection(folder / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(folder / "photos")
    return folder / "c.lookalike"


@contextmanager
def serving(*arguments):
    """Run the command; gives the process and the address that it says."""
    command = [
        sys.executable,
        "-m",
        "lookalike",
        "serve",
        "--no-browser",
        "--port",
        "0",
        *map(str, arguments),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            if not line.startswith("serving on http"):
                process.kill()
                pytest.fail(line + process.stderr.read())
            yield process, line.removeprefix("serving on ").strip()
        finally:
            process.kill()


def get(address, **headers):
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), answer
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error


def run(*arguments):
    command = [sys.executable, "-m", "lookalike", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_it_serves_until_it_is_interrupted(folder):
    with serving("-c", folder) as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        assert process.stdout.readline() == "stop with Ctrl-C\n"
        status, body, _ = get(f"{address}api/health")
        assert (status, json.loads(body)["status"]) == (200, "ok")
        assert json.loads(get(f"{address}api/items/1")[1])["id"] == 1
        assert get(address)[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("", "")


def test_an_open_connection_does_not_keep_it_from_ending(folder):
    with serving("-c", folder) as (process, address):
        port = int(address.rsplit(":", 1)[1].strip("/"))
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\n")
            process.send_signal(signal.SIGINT)
            begun = time.monotonic()
            assert process.wait(15) == 0
            assert time.monotonic() - begun < 12


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_it_listens_on_loopback_only(folder):
    with serving("-c", folder) as (_, address):
        port = int(address.rsplit(":", 1)[1].strip("/"))
        table = Path("/proc/net/tcp").read_text().splitlines()
        local = [line.split()[1] for line in table if line.split()[1].endswith(f":{port:04X}")]
        assert "0100007F" in {each.split(":")[0] for each in local}
        assert "00000000" not in {each.split(":")[0] for each in local}


def test_beyond_this_machine_a_token_is_made_and_asked_for(folder):
    with serving("-c", folder, "--host", "0.0.0.0") as (_, address):
        token = address.split("?token=")[1]
        port = int(re.search(r":(\d+)/", address)[1])
        base = f"http://127.0.0.1:{port}"
        assert len(token) >= 20
        assert get(f"{base}/api/health")[0] == 401
        assert get(f"{base}/api/health", Authorization=f"Bearer {token}")[0] == 200
        assert get(f"{base}/api/health", Authorization="Bearer wrong-wrong-wrong-wrong")[0] == 401
        facts = json.loads(get(f"{base}/api/collection", Authorization=f"Bearer {token}")[1])
        assert facts["can_fetch"] is False
        assert get(f"{base}/api/health", Host="evil.example", Authorization=f"Bearer {token}")[0] == 421
        shown = re.match(r"http://([^/]+)/", address)[1]  # what it tells a person to open
        assert "0.0.0.0" not in shown
        assert get(f"{base}/api/health", Host=shown, Authorization=f"Bearer {token}")[0] == 200


def test_behind_a_proxy_the_token_is_asked_for_too(folder):
    with serving("-c", folder, "--https", "--name", "photos.example", "--token", "with+signs&more#1234") as (
        process,
        address,
    ):
        assert address == "https://photos.example/?token=with%2Bsigns%26more%231234"
        listening = psutil.Process(process.pid).net_connections("tcp")
        port = next(each.laddr.port for each in listening if each.status == psutil.CONN_LISTEN)
        base, host = f"http://127.0.0.1:{port}", {"Host": "photos.example"}
        assert get(f"{base}/api/health", **host)[0] == 401
        bearer = {"Authorization": "Bearer with+signs&more#1234"}
        assert json.loads(get(f"{base}/api/collection", **host, **bearer)[1])["can_fetch"] is False


@pytest.mark.parametrize(
    ("host", "names", "shown"),
    [
        ("127.0.0.1", (), "https://127.0.0.1/"),
        ("localhost", (), "https://localhost/"),
        ("::1", (), "https://[::1]/"),
        ("127.0.0.1", ("photos.example",), "https://photos.example/"),
        ("0.0.0.0", ("photos.example:8443", "other.example"), "https://photos.example:8443/"),
    ],
)
def test_behind_a_proxy_the_address_shown_with_the_token_is_never_in_clear(host, names, shown):
    address = _address(ServeOptions(host, https=True, names=names), 8000)
    assert address == shown
    access = Access.listening(host, 8000, names, https=True, token="a-token-of-my-own-1234")
    assert access.goes_by(address.removeprefix("https://").strip("/"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_behind_a_proxy_on_all_addresses_too(host):
    address = _address(ServeOptions(host, https=True), 8000)
    assert re.fullmatch(r"https://([^/:]+|\[[^/]+\])/", address)
    access = Access.listening(host, 8000, https=True, token="a-token-of-my-own-1234")
    assert access.goes_by(address.removeprefix("https://").strip("/"))


def test_a_name_and_a_token_of_ones_own(folder, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_TOKEN", "a-token-of-my-own-1234")
    with serving("-c", folder, "--host", "0.0.0.0", "--name", "photos.home", "--fetch") as (_, address):
        port = int(re.search(r":(\d+)/", address)[1])
        bearer = {"Authorization": "Bearer a-token-of-my-own-1234", "Host": f"photos.home:{port}"}
        status, body, _ = get(f"http://127.0.0.1:{port}/api/collection", **bearer)
        assert (status, json.loads(body)["can_fetch"]) == (200, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--port", "99999"], 2, "a port is a number from 0 to 65535"),
        (["--host", "999.1.1.1"], 1, "cannot listen on 999.1.1.1"),
        (["--host", "0.0.0.0", "--token", "short"], 2, "a token is 16 or more"),
        (["--name", "two words"], 2, "not a host name"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(folder, arguments, code, said):
    told = run("serve", "-c", folder, "--no-browser", *arguments)
    assert told.returncode == code, told.stderr
    assert said in told.stderr and told.stderr.count("\n") == 1 and told.stdout == ""


def test_a_port_in_use_is_said(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("serve", "-c", folder, "--no-browser", "--port", port)
    assert told.returncode == 1
    assert f"cannot listen on port {port} on 127.0.0.1: Address already in use; choose another" in told.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_answers_leave_at_once(host):
    """asyncio turns Nagle's algorithm off only for sockets that are named as TCP."""
    with contextlib.closing(_listening(ServeOptions(host, port=0))) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_an_absent_collection_is_said(tmp_path):
    told = run("serve", "-c", tmp_path / "none.lookalike", "--no-browser")
    assert told.returncode == 1 and "no collection at" in told.stderr
    assert not (tmp_path / "none.lookalike").exists()


@pytest.mark.parametrize("flags", [[], ["--allow-removal"]])
def test_files_are_removed_only_where_that_was_asked_for(folder, flags):
    with serving("-c", folder, *flags) as (_, address):
        assert json.loads(get(f"{address}api/collection")[1])["can_remove"] is bool(flags)


def test_beyond_this_machine_nobody_removes_files_without_the_token(folder):
    with serving("-c", folder, "--host", "0.0.0.0", "--allow-removal") as (_, address):
        port = int(re.search(r":(\d+)/", address)[1])
        base, token = f"http://127.0.0.1:{port}/api", address.split("?token=")[1]
        assert get(f"{base}/collection")[0] == 401
        assert json.loads(get(f"{base}/collection", Authorization=f"Bearer {token}")[1])["can_remove"] is True


def test_votes_are_printed(folder):
    with Collection(folder, embedder=FakeEmbedder()) as collection:
        collection.vote("item:1", 2, 1)
        collection.vote("item:3", 2, -1)
    lines = [json.loads(line) for line in run("votes", "-c", folder).stdout.splitlines()]
    assert [(each["query"], each["item"], each["vote"]) for each in lines] == [
        ("item:1", 2, 1),
        ("item:3", 2, -1),
    ]
    assert lines[0]["uri"].endswith("1.png") and list(lines[0]) == [
        "query",
        "item",
        "uri",
        "vote",
        "space",
        "at",
    ]
    only = run("votes", "-c", folder, "--query", "item:3").stdout.splitlines()
    assert [json.loads(line)["query"] for line in only] == ["item:3"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_the_workers_end_with_it(folder):
    with serving("-c", folder) as (process, address):
        get(f"{address}api/items/1/thumbnail?size=320")
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert psutil.wait_procs(workers, timeout=5)[1] == []
