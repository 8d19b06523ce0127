"""The sizing tables of docs/scale.md, reckoned from what bench/scale.py has measured."""

from __future__ import annotations

import math
from typing import Any

Figures = dict[str, Any]

_PHOTOS = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_CORES = 64
_SEGMENT_BYTES = 8 * 2**30
_INDEXES = ("HNSW", "IVF_SQ8")


def render(figures: Figures) -> str:
    """Return the tables, and what each figure was reckoned from."""
    engine = figures["milvus"]
    parts = [f"Machine: {figures['machine']}.\n", _measured(figures), _embedding(figures)]
    parts += [_engine(engine, kind) for kind in _INDEXES]
    return "\n".join(parts)


def _measured(figures: Figures) -> str:
    engine = figures["milvus"]
    lines = [
        f"**Measured.** `add`, {figures['embed']['photos']:,} COCO photos of 640×480: "
        f"{figures['embed']['per_core_second']:.0f} photos per core-second (time of all its processes). "
        f"Milvus 2.3.5 standalone, rows as lookalike writes them ({engine['dim']:,} dimensions, "
        f"{engine['metadata_bytes']} bytes of metadata), flushed "
        f"into {_segments(engine)}:\n",
        "| rows | index | memory, bytes a row | on disk, bytes a row: log + index | building, core-ms a row "
        "| a search: core-ms | p50, ms | recall@10 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for rows in engine["rows"]:
        size = engine["sizes"][str(rows)]
        for kind in ("HNSW", "IVF_FLAT", "IVF_SQ8"):
            one = size[kind]
            each = {name: value / rows for name, value in one.items()}
            lines.append(
                f"| {rows:,} | {kind} | {each['memory_bytes']:,.0f} | {size['log_bytes'] / rows:,.0f} + "
                f"{each['index_bytes']:,.0f} | {each['build_cpu_seconds'] * 1000:.1f} | "
                f"{one['query_cpu_seconds'] * 1000:.1f} | {one['p50_seconds'] * 1000:.1f} | "
                f"{one['recall']:.3f} |"
            )
    return "\n".join(lines) + "\n"


def _segments(engine: Figures) -> str:
    return " and ".join(f"{engine['sizes'][str(rows)]['segments']}" for rows in engine["rows"]) + " segments"


def _embedding(figures: Figures) -> str:
    rate = figures["embed"]["per_core_second"]
    lines = [
        f"**Embedding** (extrapolated: photos ÷ photos per core-second; {_CORES} cores as fast as these, and "
        "storage that keeps up; photos of 12 megapixels take longer to decode):\n",
        f"| photos | core-hours | hours on {_CORES} cores | read at that rate |",
        "|---|---|---|---|",
    ]
    for photos in _PHOTOS:
        hours = photos / rate / 3600
        lines.append(
            f"| {photos // 1_000_000:,} million | {_short(hours)} | {_short(hours / _CORES)} | "
            f"{rate * _CORES:,.0f} photos/s |"
        )
    return "\n".join(lines) + "\n"


def _engine(engine: Figures, kind: str) -> str:
    rows = engine["rows"][-1]
    size = engine["sizes"][str(rows)]
    one = size[kind]
    memory = _memory(engine, kind)
    disk = (size["log_bytes"] + one["index_bytes"]) / rows
    lines = [
        f"**Milvus with {kind}** (extrapolated: memory by what {rows:,} rows take more than "
        f"{engine['rows'][0]:,} do, disk and building by {rows:,} rows; "
        f"a search costs its cost in one segment, {_grows(kind)}, times the segments of "
        f"{_SEGMENT_BYTES >> 30} GiB; one replica):\n",
        "| photos | memory | disk | building, core-hours | segments | a search, core-ms "
        f"| searches/s on {_CORES} cores |",
        "|---|---|---|---|---|---|---|",
    ]
    for photos in _PHOTOS:
        segments = max(math.ceil(photos * size["log_bytes"] / rows / _SEGMENT_BYTES), 1)
        cost = segments * _cost(engine, kind, photos / segments)
        building = photos / rows * one["build_cpu_seconds"]
        lines.append(
            f"| {photos // 1_000_000:,} million | {_bytes(photos * memory)} | {_bytes(photos * disk)} | "
            f"{_short(building / 3600)} | {segments:,} | {_short(cost * 1000)} | {_short(_CORES / cost)} |"
        )
    return "\n".join(lines) + "\n"


def _grows(kind: str) -> str:
    if kind == "HNSW":
        return "which grows with the logarithm of its rows between the two sizes measured"
    return "which grows with its rows, since a search looks into the same share of them"


def _cost(engine: Figures, kind: str, rows: float) -> float:
    """Processor seconds of a search in one segment of so many rows."""
    small, large = engine["rows"][0], engine["rows"][-1]
    below, above = (engine["sizes"][str(size)][kind]["query_cpu_seconds"] for size in (small, large))
    if kind != "HNSW":
        return float(above * max(rows / large, 1))
    slope = max(above - below, 0.0) / math.log2(large / small)
    return float(above + slope * max(math.log2(rows / large), 0))


def _memory(engine: Figures, kind: str) -> float:
    """Bytes of memory for a row more: what a loaded collection takes besides is left out."""
    small, large = engine["rows"][0], engine["rows"][-1]
    below, above = (engine["sizes"][str(size)][kind]["memory_bytes"] for size in (small, large))
    return float((above - below) / (large - small))


def _bytes(count: float) -> str:
    return f"{count / 1e12:,.1f} TB" if count >= 1e12 else f"{count / 1e9:,.0f} GB"


def _short(number: float) -> str:
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 1 else f"{number:.2f}"
