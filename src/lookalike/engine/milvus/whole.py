"""Whether all of a collection in Milvus is served, for who reads all of it."""

from __future__ import annotations

import time

from lookalike.engine.milvus.engine import MilvusEngine
from lookalike.engine.milvus.layout import vectors_name
from lookalike.engine.writing import SERVED_IN_PART
from lookalike.errors import UnreachableError

_WATCHED_SECONDS = 15.0  # a node that comes back has its rows after ten
_ASK_SECONDS = 0.5


def check_served(engine: MilvusEngine) -> None:
    """Raise `UnreachableError` where a space is served in part.

    Rows that were deleted and are still on disk look alike, so that it is watched for a while whether more
    come.
    """
    for space in engine.spaces():
        name = vectors_name(engine.address.name, space.id)
        if engine.connection.share_served(name) == 1:
            continue
        count, until = engine.connection.count(name), time.monotonic() + _WATCHED_SECONDS
        while time.monotonic() < until:
            time.sleep(_ASK_SECONDS)
            if engine.connection.count(name) != count:
                raise UnreachableError(f"{engine.address} {SERVED_IN_PART}")
