"""A true cluster of Milvus processes: nodes die and come back, and what is told about the answers is true."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lookalike.engine.milvus.served import ServedWatch
from milvus_fixture import MilvusCluster, cluster_is_missing

pytestmark = pytest.mark.slow
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # which logs each error that it raises
_ROWS, _DIM, _K = 20_000, 64, 10


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusCluster]:
    if missing := cluster_is_missing():
        pytest.fail(missing)
    with MilvusCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((_ROWS, _DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _client(cluster: MilvusCluster) -> Any:
    from pymilvus import MilvusClient

    return MilvusClient(cluster.uri, timeout=10)


def _filled(client: Any, name: str, vectors: np.ndarray, replicas: int) -> None:
    """Make a collection of which half is sealed and half is not."""
    from pymilvus import DataType

    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=_DIM)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="IP")
    client.create_collection(name, schema=schema, timeout=30)
    client.create_index(name, index, timeout=60)
    for start in range(0, _ROWS, 5000):
        chunk = range(start, start + 5000)
        client.insert(name, [{"id": at, "vector": vectors[at].tolist()} for at in chunk], timeout=30)
        if start == _ROWS // 2 - 5000:
            client.flush(name, timeout=60)
    client.load_collection(name, replica_number=replicas, timeout=120)


class _Asking(threading.Thread):
    """Searches all the time, and notes which answers lacked rows, and what the watch told of each."""

    def __init__(self, cluster: MilvusCluster, name: str, vectors: np.ndarray) -> None:
        super().__init__(daemon=True)
        self._client = _client(cluster)
        self._name, self._queries = name, vectors[:: _ROWS // 20]
        self._wanted = [set(np.argsort(-row)[:_K].tolist()) for row in self._queries @ vectors.T]
        self._watch = ServedWatch(_client(cluster), name)
        self.answers: list[tuple[bool, float]] = []
        self.worst = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            start = time.monotonic()
            if (whole := self._search()) is not None:
                self.answers.append((whole, self._told()))
            self.worst = max(self.worst, time.monotonic() - start)
            time.sleep(0.02)

    def _search(self) -> bool | None:
        import grpc
        from pymilvus.exceptions import MilvusException

        options = {"limit": _K, "timeout": 2, "consistency_level": "Eventually", "retry_times": 1}
        try:
            found = self._client.search(self._name, data=self._queries.tolist(), **options)
        except (MilvusException, grpc.RpcError):
            return None
        return all({hit["id"] for hit in row} == want for row, want in zip(found, self._wanted, strict=True))

    def _told(self) -> float:
        import grpc
        from pymilvus.exceptions import MilvusException

        try:
            return self._watch.share_of_answer()
        except (MilvusException, grpc.RpcError):
            return 0.0

    @property
    def untold(self) -> int:
        """How many answers lacked rows although the watch said that all are served."""
        return sum(not whole and share == 1.0 for whole, share in self.answers)


@pytest.mark.parametrize("replicas", [1, 2])
def test_partial_answers_of_nodes_that_come_back_are_told(
    cluster: MilvusCluster, vectors: np.ndarray, replicas: int
) -> None:
    client, name = _client(cluster), f"kept_{replicas}"
    _filled(client, name, vectors, replicas)
    time.sleep(3)
    asking = _Asking(cluster, name, vectors)
    asking.start()
    time.sleep(2)
    for node in ("query_node_2", "query_node_1"):
        cluster.kill_part(node)
        time.sleep(14)
        cluster.start_part(node)
        time.sleep(24)
    asking.over.set()
    asking.join(10)
    client.drop_collection(name, timeout=20)
    count, partial = len(asking.answers), sum(not whole for whole, _ in asking.answers)
    print(f"\n{replicas} replicas: {count} answers, {partial} partial, {asking.untold} of them untold")
    assert asking.answers[-1] == (True, 1.0), "whole again, and told so"
    assert asking.untold <= 0.001 * count
    assert asking.worst < 8


def test_writes_that_were_acknowledged_survive_the_data_node(cluster: MilvusCluster) -> None:
    client = _client(cluster)
    client.create_collection("written", dimension=4, consistency_level="Strong", timeout=30)
    client.insert("written", [{"id": at, "vector": [1.0, 0, 0, 0]} for at in range(100)], timeout=10)
    cluster.kill_part("data_node")
    client.insert("written", [{"id": at, "vector": [1.0, 0, 0, 0]} for at in range(100, 200)], timeout=10)
    cluster.start_part("data_node")
    rows = client.query("written", output_fields=["count(*)"], timeout=20)
    assert rows[0]["count(*)"] == 200
    client.drop_collection("written", timeout=20)
