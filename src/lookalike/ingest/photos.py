"""The way in: sources → decode → embed → store. `ingest_photos` reads as its table of contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from lookalike.decode.formats import reader_version
from lookalike.decode.pool import DecodePool
from lookalike.embedders import Embedder
from lookalike.ingest.batches import Read, embed_batches
from lookalike.ingest.contents import begins_like_photo, decoded
from lookalike.ingest.gone import Presence
from lookalike.ingest.run import IngestContext, record_walk, report_of
from lookalike.ingest.shards import Shards
from lookalike.ingest.vanished import find_vanished
from lookalike.records import Space
from lookalike.reports import AddReport
from lookalike.sources.everywhere import WideWalk
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.identity import Identities
from lookalike.sources.remote.addresses import Source
from lookalike.sources.sidecars import Sidecars
from lookalike.store import PhotoBatch
from lookalike.store.photo_commit import RunMemory
from lookalike.store.scan import FileToRead, Scan


@dataclass(frozen=True, slots=True)
class PhotoIngest(IngestContext):
    """The parts that reading photos needs.

    `companion` is the space that a `PairedEmbedder` fills beside the first, `sidecars` finds the files beside
    photos that state facts of theirs.
    """

    decoder: DecodePool
    embedder: Embedder
    companion: Space | None = None
    memory: RunMemory = field(default_factory=lambda: RunMemory(Identities().are_same))
    sidecars: Sidecars = field(default_factory=Sidecars)


def ingest_photos(
    parts: PhotoIngest,
    sources: Sequence[Source],
    *,
    prune: bool = False,
    afresh: bool = False,
    rules: Exclusions | None = None,
) -> AddReport:
    """Bring what lies at `sources` into the store; what is unchanged is not read again, unless `afresh`."""
    reader = reader_version()
    rules = rules or Exclusions()
    walk = WideWalk(sources, parts.store.folder, rules, "photo", begins_like_photo, parts.sidecars)
    with parts.store.scan(parts.space, reader) as scan:
        record_walk(walk, scan, parts.on_step)
        presence, shards = Presence(walk, scan), Shards(walk, scan)
        shards.settle(afresh=afresh)
        if not afresh:
            scan.settle()
        tally = Counter(unchanged=scan.count("unchanged"), skipped=scan.count("skipped"))
        photos = _decode(parts, scan, shards)
        total = scan.total()
        for batch in _embed(parts, photos):
            tally.update(_commit(parts, batch, reader, presence))
            parts.on_step("reading", tally.total(), total)
        return _reckon(parts, scan, shards, tally, prune=prune)


def _decode(parts: PhotoIngest, scan: Scan, shards: Shards) -> Iterator[Read]:
    """Yield what each file holds, decoded ahead by the workers."""
    yield from scan.unreadable()
    yield from decoded(
        parts.decoder, scan.to_read(), parts.embedder.spec.view, parts.sidecars, shards.requests
    )


def _embed(parts: PhotoIngest, photos: Iterator[Read]) -> Iterator[PhotoBatch]:
    """Give photos their vectors, batch by batch."""
    return embed_batches(parts.embedder, photos, with_companion=parts.companion is not None)


def _commit(parts: PhotoIngest, batch: PhotoBatch, reader: str, presence: Presence) -> Counter[str]:
    """Put a batch on disk, then say so."""
    presence.ask(parts.store.items.with_content([photo.content_hash for photo, _ in batch.photos]))
    written = parts.store.commit(
        parts.space,
        batch,
        reader=reader,
        is_gone=presence.is_gone,
        memory=parts.memory,
        companion=parts.companion,
    )
    tally = parts.announce(written.committed)
    lost = set(written.lost)
    again = [FileToRead(photo.uri, photo.stamp, ()) for photo, _ in batch.photos if photo.uri in lost]
    for more in _embed(parts, _reread(parts, again)):
        tally += _commit(parts, more, reader, presence)
    return tally


def _reread(parts: PhotoIngest, files: list[FileToRead]) -> Iterator[Read]:
    """Decode files whatever is known of their content, which another file's change has made stale."""
    return decoded(parts.decoder, files, parts.embedder.spec.view, parts.sidecars)


def _reckon(parts: PhotoIngest, scan: Scan, shards: Shards, tally: Counter[str], *, prune: bool) -> AddReport:
    """Find the items that have vanished; remove them where that was asked for."""
    walk = shards.walk
    vanished = find_vanished(walk, scan, prune=prune, inside=shards.vanished())
    pruned = 0
    if prune and vanished.items:
        pruned = parts.store.remove_vanished(list(vanished.items.items()), vanished.still)
    parts.store.forget_skips([*scan.outdated_skips(vanished.known_roots), *shards.outdated_skips()])
    return replace(
        report_of(tally, walk), vanished=len(vanished.items), pruned=pruned, absent=vanished.absent
    )
