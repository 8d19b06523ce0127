"""A collection in Milvus held against plain pymilvus on the same server, with the same rows and index.

python bench/engine.py COUNT [SERVER]     200,000 for the figures of docs/benchmarks.md

Vectors are mixtures of those of real photos (`vectors.jittered`), 1,280 numbers each, with facts as photos
have them; `iso` has a hundred values, so that a condition on it keeps 1 %. SERVER is HOST:PORT; without it
the server of the wheel `milvus` is started in a temporary folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common import median, milvus_at, percentile, timed
from lookalike import Collection
from lookalike.cluster.layout import FACTS_FILE, EmbeddedSpace, Facts
from lookalike.cluster.shards import ShardItem, ShardRows, encode_shard
from lookalike.decode.formats import reader_version
from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.layout import search_params
from lookalike.index.exact import TopK
from lookalike.records import FileStamp, SearchOptions
from lookalike.store.rows import encode_metadata
from lookalike.transfer.transfer import ImportRequest
from vectors import jittered, real_vectors

QUERIES, K, BATCH = 200, 10, 2_000
IMPORTED, ROUNDS = 20_000, 5
_KEPT = "iso=7"  # 1 % of the items


def main() -> None:
    """Measure, and print the figures as JSON."""
    count = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, milvus_at(sys.argv[2:], Path(folder)) as server:
        print(json.dumps(measure(count, server, Path(folder))))


def measure(count: int, server: str, folder: Path) -> dict[str, Any]:
    """Import, then search: lookalike and plain pymilvus in turns on the same rows."""
    rows = np.concatenate(list(jittered(real_vectors()[1], count)))
    os.environ["LOOKALIKE_MILVUS_INDEX"] = "HNSW"
    figures: dict[str, Any] = {"items": count, "imported": min(count, IMPORTED)}
    rounds = [imports(server, folder / f"round-{at}", rows[:IMPORTED]) for at in range(ROUNDS)]
    figures |= {name: median([each[name] for each in rounds]) for name in rounds[0]}
    write_embedding(folder / "out", rows)
    with Collection(f"milvus://{server}/bench_{os.getpid()}") as collection:
        told(f"importing {count:,} rows to be searched")
        begun = time.perf_counter()
        figures["added"] = import_rows(collection, folder / "out")[2]
        figures["seconds_with_index"] = time.perf_counter() - begun
        engine = collection.engine
        assert isinstance(engine, MilvusEngine)
        figures |= searches(collection, engine, rows)
        engine.space_book.drop_all()
    return figures


def imports(server: str, folder: Path, rows: npt.NDArray[np.float32]) -> dict[str, float]:
    """Import rows into a new collection, then insert them plainly into another of its kind."""
    name = f"bench_{os.getpid()}"
    write_embedding(folder, rows)
    with Collection(f"milvus://{server}/{name}") as collection:
        seconds, cpu, added = import_rows(collection, folder)
        assert added == len(rows)
        engine = collection.engine
        assert isinstance(engine, MilvusEngine)
        plain_seconds, plain_cpu = insert_plainly(engine, rows, f"{name}_plain")
        engine.connection.drop(f"{name}_plain")
        engine.space_book.drop_all()
    figures = {
        "import_rows_per_s": len(rows) / seconds,
        "import_cpu_s": cpu,
        "plain_rows_per_s": len(rows) / plain_seconds,
        "plain_cpu_s": plain_cpu,
        "import_share": plain_seconds / seconds,
    }
    told(f"import {figures['import_rows_per_s']:,.0f} rows/s, plain {figures['plain_rows_per_s']:,.0f}")
    return figures


def told(what: str) -> None:
    """Say how far it is."""
    print(what, file=sys.stderr, flush=True)


def facts_of(at: int) -> dict[str, Any]:
    """Facts as photos have them."""
    return {
        "format": "JPEG",
        "width": 640 + at % 7,
        "height": 480,
        "camera": ("Canon EOS 5D", "NIKON D850", "iPhone 12")[at % 3],
        "taken": f"{2005 + at % 20}-06-{1 + at % 28:02}T12:00:00",
        "iso": at % 100,
        "phash": f"{at * 2654435761 % 2**64:016x}",
    }


def write_embedding(folder: Path, rows: npt.NDArray[np.float32]) -> None:
    """Write vectors as `lookalike embed` does."""
    own = EmbeddedSpace("mixtures", "of/photos", "ab" * 32, rows.shape[1])
    facts = Facts("photo", own, None, reader_version())
    (folder / "shards").mkdir(parents=True)
    (folder / "runs").mkdir()
    (folder / FACTS_FILE).write_bytes(facts.encoded())
    shards = 0
    for first in range(0, len(rows), BATCH):
        items = [
            ShardItem(
                uri,
                hashlib.sha256(uri.encode()).digest(),
                FileStamp(1, 1),
                encode_metadata(facts_of(at)),
                rows[at],
            )
            for at, uri in ((at, uri_of(at)) for at in range(first, min(first + BATCH, len(rows))))
        ]
        content = encode_shard(ShardRows(items), facts, facts.reader)
        (folder / "shards" / f"000001-00000000-{shards:08}.parquet").write_bytes(content)
        shards += 1
    ended = {"state": "finished", "shards": shards}
    (folder / "runs" / "000001-00000000.json").write_text(json.dumps(ended))


def uri_of(at: int) -> str:
    """Where the photo of a row would lie."""
    return f"s3://photos/{at // 1000:05}/{at:08}.jpg"


def import_rows(collection: Collection, out: Path) -> tuple[float, float, int]:
    """Import an embedding; returns seconds, CPU seconds of this process, and how many were added."""
    begins, ends = list[float](), list[float]()

    def heard(name: str, done: int, total: int | None) -> None:
        if name == "importing":
            (ends if done == total else begins).append(time.perf_counter())

    begun, cpu = time.perf_counter(), time.process_time()
    report, _ = collection.import_vectors(ImportRequest(out), on_step=heard)
    # Before the first step everything is read and checked; after the last one the index is built.
    first = begins[0] - (begins[1] - begins[0]) if len(begins) > 1 else begun
    return ends[-1] - first, time.process_time() - cpu, report.added


def insert_plainly(engine: MilvusEngine, rows: npt.NDArray[np.float32], name: str) -> tuple[float, float]:
    """Insert the same rows by pymilvus alone into a collection of the same kind; seconds, CPU seconds."""
    from pymilvus import MilvusClient

    client = MilvusClient(engine.address.uri)
    own = engine.items.name
    described = client.describe_collection(own)
    schema = client.create_schema()
    for field in described["fields"]:
        more = {**field.get("params", {})}
        schema.add_field(field["name"], field["type"], is_primary=bool(field.get("is_primary")), **more)
    client.create_collection(name, schema=schema)
    for index in client.list_indexes(own):
        found = client.describe_index(own, index)
        parts = client.prepare_index_params()
        params = {key: int(found[key]) for key in ("M", "efConstruction") if key in found}
        parts.add_index(
            found["field_name"],
            index_type=found["index_type"],
            metric_type=found.get("metric_type"),
            params=params,
        )
        client.create_index(name, parts, sync=False)
    client.load_collection(name)
    begun, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(rows), 256):
        batch = []
        for at in range(first, min(first + 256, len(rows))):
            facts = facts_of(at)
            batch.append(
                {
                    "id": at + 1,
                    "uri": uri_of(at),
                    "sha256": f"{at:064x}",
                    "size": 1,
                    "mtime_ns": 1,
                    "metadata": json.dumps(facts),
                    "text": "",
                    "places": 1,
                    "chance": at,
                    "checksum": at,
                    "facts": facts,
                    "vector": rows[at],
                }
            )
        client.insert(name, batch)
    seconds, spent = time.perf_counter() - begun, time.process_time() - cpu
    client.close()
    return seconds, spent


def searches(collection: Collection, engine: MilvusEngine, rows: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Time searches by items in turns with plain ones, and hold both against the truth."""
    client, name = engine.connection._open(), engine.items.name
    chosen = np.random.default_rng(3).permutation(len(rows))[:QUERIES]
    places = {uri_of(int(at)): int(at) for at in range(len(rows))}
    items = engine.items.by_uris([uri_of(int(at)) for at in chosen])
    ids = [items[uri_of(int(at))].id for at in chosen]
    params = {"metric_type": "IP", "params": search_params("HNSW", K + 2)}
    fields = ["uri", "sha256", "size", "mtime_ns", "metadata", "text", "places", "checksum"]

    def plainly(item: int, condition: str) -> set[int]:
        row = client.query(name, filter=f"id in [{item}]", output_fields=["vector"])[0]["vector"]
        hits = client.search(
            name, [row], limit=K + 1, filter=condition, output_fields=fields, search_params=params
        )
        return {places[hit["entity"]["uri"]] for hit in hits[0] if hit["id"] != item}

    def ours(item: int, where: list[str]) -> set[int]:
        found = collection.answer([item], SearchOptions(K, rerank=False), where=where)[0]
        return {places[hit.uri] for hit in found}

    figures: dict[str, Any] = {}
    kept = np.arange(len(rows)) % 100 == 7
    for label, where, condition, allowed in (
        ("all", [], "", np.ones(len(rows), bool)),
        ("one_percent", [_KEPT], 'facts["n-iso"] == 7', kept),
    ):
        truth = list(true_sets(rows, chosen, np.flatnonzero(allowed)))
        for item in ids[:5]:
            plainly(item, condition)
            ours(item, where)
        times: dict[str, list[float]] = {"ours": [], "plain": []}
        shares: dict[str, list[float]] = {"ours": [], "plain": []}
        for item, right in zip(ids, truth, strict=True):
            for who in ("plain", "ours"):
                begun = time.perf_counter()
                found = plainly(item, condition) if who == "plain" else ours(item, where)
                times[who].append(1_000 * (time.perf_counter() - begun))
                shares[who].append(len(found & right) / max(1, min(K, len(right))))
        figures |= {
            f"{label}_ms": median(times["ours"]),
            f"{label}_p99_ms": percentile(times["ours"], 0.99),
            f"{label}_plain_ms": median(times["plain"]),
            f"{label}_ratio": median(times["ours"]) / median(times["plain"]),
            f"{label}_recall": float(np.mean(shares["ours"])),
            f"{label}_plain_recall": float(np.mean([min(1.0, each) for each in shares["plain"]])),
        }
    figures["recall_shown"] = engine.recall(collection.spaces()[0])
    return figures | reranking(collection, ids)


def reranking(collection: Collection, ids: list[int]) -> dict[str, float]:
    """Time searches in the plain order and re-ranked, in turns."""
    times: dict[bool, list[float]] = {False: [], True: []}
    for item in ids:
        for rerank, found in times.items():
            options = SearchOptions(K, rerank=rerank)
            found.append(1_000 * timed(lambda item=item, options=options: collection.answer([item], options)))
    added = [one - other for one, other in zip(times[True], times[False], strict=True)]
    return {"reranked_ms": median(times[True]), "reranking_adds_ms": median(added)}


def true_sets(
    rows: npt.NDArray[np.float32], chosen: npt.NDArray[np.int64], allowed: npt.NDArray[np.int64]
) -> Iterator[set[int]]:
    """Yield the true K nearest of each chosen row among the allowed ones, itself left out."""
    best = TopK(rows[chosen], K + 1)
    for first in range(0, len(allowed), BATCH):
        some = allowed[first : first + BATCH]
        best.see(some, rows[some])
    for own, ranked in zip(chosen.tolist(), best.ranked()[0], strict=True):
        yield set([each for each in ranked.tolist() if each != own][:K])


if __name__ == "__main__":
    main()
