"""How much it takes past one machine: measured on a real Milvus and by `add`, reckoned for many photos.

`python bench/scale.py` measures (about 15 minutes on two cores), keeps the figures in docs/scale.json and
writes the tables of docs/scale.md; `python bench/scale.py table` writes them from the figures that are there.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import common
from scale_table import render

sys.path.insert(0, str(common.ROOT / "tools"))
from milvus_server import MilvusServer

SIZES = [int(size) for size in os.environ.get("LOOKALIKE_SCALE_ROWS", "10000,40000").split(",")]
KINDS = ("HNSW", "IVF_FLAT", "IVF_SQ8")
_DIM, _LATENT, _K = 1280, 64, 10
_QUERIES = 200
_PHOTOS = 1024
_METADATA_BYTES = 400  # of a camera's photo: names of camera and lens, time, place, exposure
FIGURES = common.ROOT / "docs" / "scale.json"
PAGE = common.ROOT / "docs" / "scale.md"
_BEGIN, _END = "<!-- table: bench/scale.py -->\n", "<!-- end of the table -->\n"


def main() -> None:
    if sys.argv[1:] != ["table"]:
        figures = {"machine": common.machine(), "embed": embedding(), "milvus": milvus()}
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(
        before + _BEGIN + render(json.loads(FIGURES.read_text())) + _END + after, encoding="utf-8"
    )


def embedding() -> dict[str, float]:
    """Processor time of `add` per photo, start-up taken off: what a photo more costs."""
    few, many = (_add_cpu_seconds(count) for count in (64, _PHOTOS))
    return {"photos": _PHOTOS, "per_core_second": (_PHOTOS - 64) / (many - few)}


def _add_cpu_seconds(count: int) -> float:
    photos = common.distinct_copies(count, f"scale-{count}")
    collection = common.fresh("scale-collection") / "photos.lookalike"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "lookalike", "add", photos, "-c", collection]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def milvus() -> dict[str, Any]:
    """Memory, disk and processor time of each index at each size, and the rate of inserts."""
    folder = common.fresh("scale-milvus")
    found: dict[str, Any] = {"rows": SIZES, "dim": _DIM, "metadata_bytes": _METADATA_BYTES, "sizes": {}}
    with MilvusServer(folder) as server:
        for number, size in enumerate(SIZES, 1):
            print(f"{size:,} rows", flush=True)
            before = _files(folder / "data", "insert_log")
            space = _Space(server, number)
            inserted = space.fill(size)
            logged = _files(folder / "data", "insert_log")
            found["sizes"][str(size)] = {
                "inserts_per_second": inserted,
                "log_bytes": sum(written for name, written in logged.items() if name not in before),
                "segments": space.segments(),
                **{kind: space.measured(kind) for kind in KINDS},
            }
            space.drop()
    return found


class _Space:
    """A space of a collection as lookalike makes it, on a server of its own."""

    def __init__(self, server: MilvusServer, number: int) -> None:
        from lookalike.engine.milvus.address import MilvusAddress
        from lookalike.engine.milvus.client import MilvusConnection
        from lookalike.engine.milvus.layout import create_space, vectors_name
        from lookalike.records import Space

        self._server = server
        self._connection = MilvusConnection(MilvusAddress("127.0.0.1", server.port, "scale"))
        space = Space(number, "scale", "scale", _DIM, True, "photo", "", approximate=False)
        create_space(self._connection, space)
        self._name = vectors_name("scale", number)
        self._random = np.random.default_rng(7)
        self._mix = self._random.standard_normal((_LATENT, _DIM)).astype(np.float32)
        self._vectors = np.empty((0, _DIM), np.float32)

    def fill(self, size: int) -> float:
        """Insert rows and have them sealed; return rows per second."""
        self._vectors = rows = self._sample(size)
        begun = time.perf_counter()
        for start in range(0, size, 500):
            chunk = range(start, min(start + 500, size))
            self._connection.upsert(self._name, [self._row(at, rows[at]) for at in chunk], fresh=True)
        rate = size / (time.perf_counter() - begun)
        self._connection.flush(self._name)
        return rate

    def segments(self) -> int:
        """How many segments the rows lie in when they are flushed; Milvus merges small ones later."""
        return len(self._client().list_persistent_segments(self._name, timeout=20))

    def drop(self) -> None:
        """Remove it."""
        self._client().drop_collection(self._name, timeout=60)

    def measured(self, kind: str) -> dict[str, float]:
        """Build an index, and return what it takes."""
        client = self._client()
        client.release_collection(self._name, timeout=60)
        client.drop_index(self._name, "vector", timeout=60)
        self._server.restart()
        client = self._client()
        empty = self._resident()
        before = _files(self._server.data_dir / "data", "index_files")
        built = self._build(client, kind)
        files = _files(self._server.data_dir / "data", "index_files")
        client.release_collection(self._name, timeout=60)
        self._server.restart()  # without what the building took
        client = self._client()
        client.load_collection(self._name, timeout=300)
        query = self._query(client, kind)
        loaded = len(client.list_loaded_segments(self._name, timeout=20))
        figures = {
            "build_cpu_seconds": built,
            "loaded_segments": loaded,
            "memory_bytes": self._resident() - empty,
            "index_bytes": sum(size for name, size in files.items() if name not in before),
            **query,
        }
        print(f"  {kind}: {json.dumps(figures)}", flush=True)
        return figures

    def _client(self) -> Any:
        from pymilvus import MilvusClient

        return MilvusClient(self._server.uri, timeout=10)

    def _build(self, client: Any, kind: str) -> float:
        from lookalike.engine.milvus.layout import INDEXES

        index = client.prepare_index_params()
        index.add_index("vector", index_type=kind, metric_type="IP", params=INDEXES[kind])
        begun = self._cpu_seconds()
        client.create_index(self._name, index, timeout=1800)
        while client.describe_index(self._name, "vector", timeout=10).get("pending_index_rows", 0):
            time.sleep(0.5)
        return self._cpu_seconds() - begun

    def _query(self, client: Any, kind: str) -> dict[str, float]:
        from lookalike.engine.milvus.layout import search_params

        queries = self._sample(_QUERIES)
        truth = np.argsort(-(queries @ self._vectors.T), axis=1)[:, :_K]
        options = {"search_params": {"metric_type": "IP", "params": search_params(kind, _K)}, "timeout": 30}

        def ask(query: np.ndarray) -> set[int]:
            found = client.search(
                self._name, data=[query.tolist()], limit=_K, consistency_level="Eventually", **options
            )
            return {hit["id"] for hit in found[0]}

        for query in queries[:20]:
            ask(query)
        idle_for, idle = time.perf_counter(), self._cpu_seconds()
        time.sleep(5)
        per_second = (self._cpu_seconds() - idle) / (time.perf_counter() - idle_for)
        begun, busy, latencies, right = time.perf_counter(), self._cpu_seconds(), [], 0
        for query, wanted in zip(queries, truth, strict=True):
            start = time.perf_counter()
            right += len(ask(query) & set(wanted.tolist()))
            latencies.append(time.perf_counter() - start)
        spent = self._cpu_seconds() - busy - per_second * (time.perf_counter() - begun)
        return {
            "recall": right / (_QUERIES * _K),
            "p50_seconds": common.median(latencies),
            "query_cpu_seconds": max(spent, 0.0) / _QUERIES,
        }

    def _sample(self, count: int) -> np.ndarray:
        """Vectors as photos have them: near a surface of few dimensions."""
        rows = self._random.standard_normal((count, _LATENT)).astype(np.float32) @ self._mix
        rows += self._random.standard_normal((count, _DIM)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def _row(self, number: int, vector: np.ndarray) -> dict[str, Any]:
        from lookalike.engine.milvus.rows import ItemRow, encode
        from lookalike.records import FileStamp

        metadata = json.dumps(
            {"camera": f"camera {number % 40}", "note": os.urandom(_METADATA_BYTES // 2 - 20).hex()}
        )
        uri = f"s3://photos-of-many-people/2026/{number % 365:03}/IMG_{number:08}.jpg"
        item = ItemRow(number, uri, os.urandom(32), FileStamp(3_000_000, number), metadata)
        return encode(item, vector, "photo")

    def _resident(self) -> int:
        time.sleep(5)
        status = Path(f"/proc/{self._server.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def _cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _files(folder: Path, name: str) -> dict[Path, int]:
    """Sizes of the files below folders of that name; dropped indexes stay for hours, so new ones count."""
    found = [each for each in folder.rglob(name) if each.is_dir()]
    return {file: file.stat().st_size for each in found for file in each.rglob("*") if file.is_file()}


if __name__ == "__main__":
    main()
