"""Where a collection is: the only place that tells one in a folder from one in Milvus."""

from __future__ import annotations

from pathlib import Path

from lookalike.engine.local import LocalEngine
from lookalike.engine.milvus.address import MilvusAddress, is_milvus, parse_address
from lookalike.engine.protocol import Engine
from lookalike.engine.writing import ItemStore
from lookalike.sources.paths import AnyPath, as_path

Place = Path | MilvusAddress
"""Where a collection is: a folder, or an address of Milvus."""


def place_of(given: AnyPath) -> Place:
    """Return where a collection is that a caller names; raises `UsageError`."""
    if isinstance(given, MilvusAddress):
        return given
    return parse_address(given) if isinstance(given, str) and is_milvus(given) else as_path(given).absolute()


def open_place(path: Place, *, create: bool) -> tuple[Engine, ItemStore]:
    """Open what keeps the collection at a place."""
    if isinstance(path, Path):
        engine = LocalEngine(path, create=create)
        return engine, engine.store
    from lookalike.engine.milvus.engine import MilvusEngine  # with what that imports
    from lookalike.engine.milvus.store import MilvusStore

    remote = MilvusEngine(path, create=create)
    return remote, MilvusStore(remote)
