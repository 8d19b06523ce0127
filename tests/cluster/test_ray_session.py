"""Connections to clusters: what is none is told in a line, and what ends or dies leaves nothing behind."""

from __future__ import annotations

import http.server
import signal
import socket
import threading
import time

import psutil
import pytest
from helpers_cluster import TwoNodes, embed, ended, how_often, shards, started, wait_for

from lookalike.cluster.driver import _problem
from lookalike.cluster.session import check_reach
from lookalike.errors import FetchError, UsageError


@pytest.mark.parametrize("address", ["here", "host:", ":6379", "host:port", "host:0", "host:70000", "auto"])
def test_what_is_no_address_is_said(address):
    with pytest.raises(UsageError, match="--ray takes HOST:PORT"):
        check_reach(address)


def test_where_nothing_listens_is_said_before_anything_is_made(tmp_path, make_photo):
    make_photo(tmp_path / "photos" / "x.png", 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(FetchError, match=f"no Ray cluster at {address}"):
            check_reach(address)
        process = started("embed", tmp_path / "photos", "--to", tmp_path / "out", "--ray", address)
        _, errors = ended(process, 1)
    assert errors.startswith(f"lookalike: no Ray cluster at {address}") and errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_listens_but_is_no_cluster_is_said(tmp_path, make_photo):
    make_photo(tmp_path / "photos" / "x.png", 1)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        process = started("embed", tmp_path / "photos", "--to", tmp_path / "out", "--ray", address)
        _, errors = ended(process, 1)
        server.shutdown()
    assert errors == f"lookalike: no Ray cluster at {address}: it does not answer as one\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_ctrl_c_ends_a_cluster_of_its_own_and_the_next_run_goes_on(tmp_path, real_photos):
    photos, out = real_photos(300), tmp_path / "out"
    process = started("embed", photos, "--to", out)
    wait_for(lambda: shards(out))
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = ended(process, 130)
    assert errors.strip() == "lookalike: interrupted; what is done is kept, run the same command to go on"
    wait_for(lambda: not any(each.is_running() and each.status() != "zombie" for each in below))
    done = len(how_often(out))
    assert 0 < done < 300
    report = embed(photos, out)
    assert (report["unchanged"], report["embedded"]) == (done, 300 - done)
    assert how_often(out) == {str(path): 1 for path in photos.iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_that_die_again_and_again_end_the_job(tmp_path, real_photos):
    with TwoNodes() as cluster:
        process = started("embed", real_photos(64), "--to", tmp_path / "out", "--ray", cluster.address)
        while process.poll() is None:
            for worker in cluster.workers():
                worker.kill()
            time.sleep(0.2)
        _, errors = ended(process, 1)
    assert errors.startswith("lookalike: workers of the cluster die again and again; what is done is kept")
    assert errors.count("\n") == 1


def test_a_machine_without_lookalike_is_named_as_such():
    kind, line = _problem(RuntimeError("x\nModuleNotFoundError: No module named 'lookalike.cluster'"))
    assert kind == "ModelError" and "no lookalike, or another version" in line
    assert _problem(RuntimeError("Traceback\n  File x\nValueError: \x1b[36mwhy\x1b[0m"))[1].endswith("why[0m")
