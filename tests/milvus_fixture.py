"""A real Milvus server for tests: one for the whole run, however many processes it has.

Tests share it, so each takes names of collections that no other has. Those that kill or pause a server, or
need other settings, take `own_milvus_server`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

fcntl = pytest.importorskip("fcntl", reason="the Milvus server runs on Linux only")
TOOLS = Path(__file__).resolve().parents[1] / "tools"
with pytest.MonkeyPatch.context() as path:
    path.syspath_prepend(TOOLS)
    import kafka_shim as shim
    import milvus_binary as binary
    import milvus_cluster as cluster_module
    from milvus_cluster import MilvusCluster
    from milvus_server import MilvusMissingError, MilvusServer, binaries

__all__ = [
    "TOOLS",
    "MilvusCluster",
    "MilvusServer",
    "binary",
    "cluster_is_missing",
    "cluster_module",
    "milvus_server",
    "need_milvus",
    "own_milvus_server",
    "shim",
]


def cluster_is_missing() -> str | None:
    """What a cluster of processes lacks here, if anything."""
    try:
        binaries()
        cluster_module.tools_of_others()
    except MilvusMissingError as error:
        return str(error)
    return None


def need_milvus() -> None:
    """Skip the test where there is no server, with the reason."""
    pytest.importorskip("pymilvus", reason="pymilvus is not installed")
    try:
        binaries()
    except MilvusMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    """The server of this run; it ends, and its data are removed, with the last process of the run."""
    need_milvus()
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = run / "milvus"
    folder.mkdir(exist_ok=True)
    server = MilvusServer(folder, temporary=True)
    with (run / "milvus.lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not server.join():
            server.start()
    yield server
    server.leave()


@pytest.fixture
def own_milvus_server(tmp_path: Path) -> Iterator[MilvusServer]:
    """A server for one test, which may do anything to it."""
    need_milvus()
    folder = tmp_path / "milvus"
    with MilvusServer(folder) as server:
        yield server
        server.kill()
    shutil.rmtree(folder)  # some 200 MB, which pytest would keep for three runs
