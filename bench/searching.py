"""Search among many items: latency, recall against exact, memory, and the example's index beside it.

python bench/searching.py make FOLDER COUNT     fill a collection
python bench/searching.py build FOLDER          build and tune its index
python bench/searching.py search FOLDER         measure warm searches
python bench/searching.py example FOLDER        the example's index on the same vectors
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from common import DATA, median, percentile, timed
from lookalike import Collection
from lookalike.index.exact import TopK
from lookalike.store import Store
from lookalike.store.vectors import SpaceVectors
from lookalike.transfer.exporting.faiss_index import most_codes

QUERIES, K, BATCH = 300, 10, 1_000


def main() -> None:
    """Do one step and print its figures as JSON."""
    step, folder = sys.argv[1], Path(sys.argv[2])
    if step == "make":
        from vectors import make_collection

        make_collection(folder, int(sys.argv[3]))
        print(json.dumps({}))
    else:
        print(json.dumps({"build": _build, "search": _search, "example": _example}[step](folder)))


def _vectors(folder: Path) -> SpaceVectors:
    store = Store(folder)
    space = store.default_space()
    assert space is not None
    return store.vectors(space)


def _sample(vectors: SpaceVectors) -> list[int]:
    ids = vectors.ids()
    return [int(ids[at]) for at in np.random.default_rng(12345).permutation(len(ids))[:QUERIES]]


def _truth(vectors: SpaceVectors, ids: list[int]) -> list[set[int]]:
    """The true K nearest of each item, itself left out, by exact float32 inner products."""
    block = vectors.fetch(ids)
    seen = TopK(block.rows, K + 1)
    for each in vectors.blocks():
        seen.see(each.ids, each.rows)
    found = {
        own: {item for item in ranked.tolist() if item != own}
        for own, ranked in zip(block.ids.tolist(), seen.ranked()[0], strict=True)
    }
    return [set(list(found[item])[:K]) if len(found[item]) <= K else found[item] for item in ids]


def _build(folder: Path) -> dict[str, Any]:
    with Collection(folder) as collection:
        seconds = timed(collection.refresh_index)
        space = collection.info().spaces[0]
    return {
        "seconds": seconds,
        "recall": space.recall,
        "index_bytes": space.index_bytes,
        "items": space.vectors,
    }


def _search(folder: Path) -> dict[str, Any]:
    """Warm searches by item (the search itself) and by photo file (decoded, embedded, searched)."""
    vectors = _vectors(folder)
    ids = _sample(vectors)
    photos = sorted((DATA / "coco256" / "images").glob("*.jpg"))[:200]
    with Collection(folder) as collection:
        collection.search(ids[0], K)
        collection.search(photos[0], K)
        plain, reranked, answers = Times(), Times(), []
        for item in ids:  # in turns, since what else runs slows both down
            result = plain.of(lambda item=item: collection.search(item, K, rerank=False))
            answers.append({hit.id for hit in result})
            reranked.of(lambda item=item: collection.search(item, K))
        by_photo = [timed(lambda photo=photo: collection.search(photo, K)) for photo in photos]
        first = [collection.search(photo, 1)[0].uri == str(photo) for photo in photos[:50]]
        batch = {rerank: _batch(collection, vectors, rerank) for rerank in (True, False)}
    measured = {"item_p99_ms": 1e3 * percentile(plain.wall, 0.99)}
    for name, times in (("item", plain), ("item_reranked", reranked)):
        measured |= {f"{name}_ms": times.ms(), f"{name}_cpu_ms": times.cpu_ms()}
    added = [one - other for one, other in zip(reranked.wall, plain.wall, strict=True)]
    measured["reranking_adds_ms"] = 1e3 * median(added)
    for name, times in (("batch", batch[False]), ("batch_reranked", batch[True])):
        measured |= {f"{name}_ms": times.ms() / BATCH, f"{name}_cpu_ms": times.cpu_ms() / BATCH}
    measured |= {"photo_ms": 1e3 * median(by_photo), "photo_p99_ms": 1e3 * percentile(by_photo, 0.99)}
    import resource  # peak so far: the truth below is not part of searching

    measured["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    truth = _truth(vectors, ids)
    shares = [len(found & right) / K for found, right in zip(answers, truth, strict=True)]
    return measured | {"recall": float(np.mean(shares)), "itself_first": float(np.mean(first))}


class Times:
    """Seconds that calls took, by the clock and of the processors."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def of(self, call: Callable[[], Any]) -> Any:
        """Return what a call gives, and time it."""
        begun, spent = time.perf_counter(), time.process_time()
        given = call()
        self.wall.append(time.perf_counter() - begun)
        self.cpu.append(time.process_time() - spent)
        return given

    def ms(self) -> float:
        """Return the median in milliseconds."""
        return 1e3 * median(self.wall)

    def cpu_ms(self) -> float:
        """Return the median of what the processors spent, in milliseconds."""
        return 1e3 * median(self.cpu)


def _batch(collection: Collection, vectors: SpaceVectors, rerank: bool) -> Times:
    """Answer a thousand queries at once, in three rounds."""
    ids, times = [int(each) for each in vectors.draw(BATCH, np.random.default_rng(1))], Times()
    for _ in range(3):
        times.of(lambda: collection.search_many(ids, K, rerank=rerank))
    return times


def _example(folder: Path) -> dict[str, Any]:
    """The example's index: IVF with √n lists, 16 codes of 8 bits, nprobe 4; and exact search in memory."""
    import faiss

    vectors = _vectors(folder)
    ids = _sample(vectors)
    block = vectors.fetch(vectors.ids().tolist())
    where = {item: at for at, item in enumerate(block.ids.tolist())}
    dim = block.rows.shape[1]
    codes = most_codes(dim)
    index = faiss.index_factory(dim, f"IVF{int(np.sqrt(len(block.ids)))},PQ{codes}")
    seconds = timed(lambda: (index.train(block.rows), index.add(block.rows)))
    index.nprobe = 4
    times, exact_times, shares = [], [], []
    for item, right in zip(ids, _truth(vectors, ids), strict=True):
        query = block.rows[where[item]][None]
        begun = time.perf_counter()
        _, found = index.search(query, K + 1)
        times.append(time.perf_counter() - begun)
        answer = [int(block.ids[at]) for at in found[0] if at >= 0 and block.ids[at] != item][:K]
        shares.append(len(set(answer) & right) / K)
        exact_times.append(timed(lambda query=query: np.argpartition(-(block.rows @ query[0]), K)))
    return {
        "codes": codes,
        "build_seconds": seconds,
        "ms": 1e3 * median(times),
        "recall": float(np.mean(shares)),
        "bytes_per_item": len(faiss.serialize_index(index)) / len(block.ids),
        "exact_ms": 1e3 * median(exact_times),
    }


if __name__ == "__main__":
    main()
