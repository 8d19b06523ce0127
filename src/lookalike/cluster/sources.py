"""The sources of an embedding, unit by unit: files, objects, and what is in shards and tables of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lookalike.cluster.plan import UnitFile, stamp_of
from lookalike.decode.pool import DecodePool
from lookalike.ingest.batches import Read
from lookalike.ingest.contents import decoded
from lookalike.ingest.shards import Shards
from lookalike.records import FoundFile, Skipped, View
from lookalike.sources.everywhere import WideWalk
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.sidecars import Sidecars
from lookalike.store.scan import FileToRead


class _NothingKnown:
    """Stands for what a store knows of shards, where all of them are read."""

    def see(self, member: FoundFile) -> None:
        """See `ShardScan`."""

    def end(self, shard: str) -> None:
        """See `ShardScan`."""

    def known(self, uri: str, size: int) -> tuple[bytes, ...]:  # noqa: ARG002
        """See `Scan`."""
        return ()


@dataclass(slots=True)
class _AllShards(Shards):
    """Reads shards of which nothing is known."""

    @property
    def known(self) -> Any:
        """See `Shards`."""
        return self.scan


def all_shards(exclude: tuple[str, ...]) -> Shards:
    """Return what reads shards and tables; its walk counts what the patterns leave out of them."""
    nothing: Any = _NothingKnown()
    return _AllShards(WideWalk((), rules=Exclusions.of(exclude)), nothing)


def read_photos(
    decoder: DecodePool, files: tuple[UnitFile, ...], view: View, shards: Shards
) -> Iterator[Read]:
    """Yield what each file holds: first why some cannot be read, then photos, decoded ahead by workers."""
    yield from (Skipped(file.uri, file.problem, lasting=False) for file in files if file.problem is not None)
    wanted = (FileToRead(file.uri, stamp_of(file), ()) for file in files if file.problem is None)
    yield from decoded(decoder, wanted, view, Sidecars(), shards.requests)
