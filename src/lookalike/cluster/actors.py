"""What runs on the machines of a cluster: units of work in, shards out. Nothing of an item travels back."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lookalike import errors
from lookalike.cluster.layout import Facts, Run, facts_of, is_superseded
from lookalike.cluster.place import Place, place_at
from lookalike.cluster.plan import Unit, UnitFile, UnitText, stamp_of
from lookalike.cluster.shards import ShardItem, ShardRows, encode_shard
from lookalike.cluster.sources import all_shards, read_photos
from lookalike.decode.formats import reader_version
from lookalike.decode.pool import DecodePool
from lookalike.embedders import Embedder, TextEmbedder
from lookalike.embedders.load import load_embedder
from lookalike.embedders.vectors import NO_DIRECTION, have_direction
from lookalike.errors import BusyError, LookalikeError, ModelError
from lookalike.ingest.batches import Read, embed_batches
from lookalike.ingest.shards import Shards
from lookalike.records import FileStamp, Skipped, Vectors
from lookalike.store.rows import encode_metadata

_MOST_REASONS = 3  # of one unit that travel back

Rows = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Job:
    """What all units of a run share: where shards go, what makes them, and how many cores an actor has."""

    address: str
    facts: Facts
    run: Run
    device: str
    cores: int
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one unit; a `problem`, an error's name and its line, ends the job.

    `excluded` and `aside` count what was left out of shards and tables of pictures.
    """

    unit: int
    items: int = 0
    skipped: int = 0
    reasons: tuple[str, ...] = ()
    excluded: dict[str, int] = field(default_factory=dict)
    aside: dict[str, int] = field(default_factory=dict)
    problem: tuple[str, str] | None = None

    def raise_problem(self) -> None:
        """Raise the error that ends the job, if there is one."""
        if self.problem is not None:
            kind = getattr(errors, self.problem[0], LookalikeError)
            raise kind(self.problem[1])


class Worker:
    """One actor: decode workers and a session of the model, kept from unit to unit.

    What cannot be had here, such as the model, is told by every unit instead of ending the actor, which would
    be started again and again.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._problem: LookalikeError | None = None
        try:
            self._place = place_at(job.address)
            _check_reader(job.facts)
            self._embedder = load_embedder(
                job.facts.own.model, job.device, job.cores, model_id=job.facts.own.model_id
            )
        except LookalikeError as error:
            self._problem = error
        self._decoder = DecodePool(job.cores)

    def __call__(self, batch: dict[str, Any]) -> Rows:
        """Do some units, as `text_of` gives them; returns their outcomes as rows."""
        outcomes = [self._outcome(unit_of(text)) for text in batch["unit"]]
        return {"outcome": [json.dumps(asdict(each)) for each in outcomes]}

    def close(self) -> None:
        """End the decode workers; those of an actor end with it."""
        self._decoder.close()

    def _outcome(self, unit: Unit) -> Outcome:
        try:
            if self._problem is not None:
                raise self._problem
            shards = all_shards(self._job.exclude)
            rows = self._rows(unit, shards)
            write_shard(self._place, self._job, unit.number, rows)
        except LookalikeError as error:
            return Outcome(unit.number, problem=(type(error).__name__, str(error)))
        reasons = tuple(f"{each.uri}: {each.reason}" for each in rows.skipped[:_MOST_REASONS])
        left = dict(shards.walk.inner_excluded), dict(shards.walk.inner_aside)
        return Outcome(unit.number, len(rows.items), len(rows.skipped), reasons, *left)

    def _rows(self, unit: Unit, shards: Shards) -> ShardRows:
        embedder = self._embedder
        if isinstance(embedder, TextEmbedder):
            return embedded_texts(embedder, unit)
        photos = read_photos(self._decoder, unit.files, embedder.spec.view, shards)
        return embedded(embedder, photos, with_companion=self._job.facts.companion is not None)


def _check_reader(facts: Facts) -> None:
    if facts.kind == "text":  # which are read where the command runs
        return
    here = reader_version()
    if here != facts.reader:
        raise ModelError(
            f"a machine of the cluster reads photos otherwise than this one ({here}, not {facts.reader}): "
            "install the same versions on all of them"
        )


def write_shard(place: Place, job: Job, unit: int, rows: ShardRows) -> None:
    """Write what a unit came to; raises `BusyError` where another run has begun meanwhile."""
    content = encode_shard(rows, job.facts, job.facts.reader)
    if is_superseded(place, job.run):
        raise BusyError(f"another lookalike embed has begun to write to {place.address}; this one ends")
    place.write(job.run.shard(unit), content)


def embedded(embedder: Embedder, photos: Iterator[Read], *, with_companion: bool) -> ShardRows:
    """Return what photos come to, with the same vectors, facts and reasons as `add` gives them."""
    rows = ShardRows()
    for batch in embed_batches(embedder, photos, with_companion=with_companion):
        rows.skipped += batch.skipped
        rows.read += batch.shards
        for photo, vector in batch.photos:
            assert vector is not None  # no content was said to be known
            metadata = encode_metadata(photo.metadata)
            paired = batch.paired.get(photo.uri)
            rows.items.append(
                ShardItem(photo.uri, photo.content_hash, photo.stamp, metadata, _row(vector), paired)
            )
    return rows


def embedded_texts(embedder: TextEmbedder, unit: Unit) -> ShardRows:
    """Return what texts come to; those of a unit that are the same are embedded once."""
    texts = list(dict.fromkeys(each.text for each in unit.texts))
    found: dict[str, Vectors] = {}
    if texts:
        vectors = embedder.embed_texts(texts)
        pairs = zip(texts, vectors, have_direction(vectors), strict=True)
        found = {text: row for text, row, is_sound in pairs if is_sound}
    rows = ShardRows()
    lost = []
    for each in unit.texts:
        content = each.text.encode()
        stamp = FileStamp(len(content), each.mtime_ns)
        if each.text not in found:
            lost.append(each.version)
            rows.skipped.append(Skipped(each.uri, NO_DIRECTION, stamp, lasting=False))
            continue
        digest = hashlib.sha256(content).digest()
        rows.versions.append(each.version)
        rows.items.append(ShardItem(each.uri, digest, stamp, each.metadata, found[each.text], text=each.text))
    for file in unit.files:
        stamp_there = stamp_of(file) if file.mtime_ns else None
        rows.skipped.append(Skipped(file.uri, file.problem or "", stamp_there, file.lasting))
    rows.versions += [*lost, *(file.mtime_ns for file in unit.files)]
    return rows


def _row(vector: Any) -> Any:
    return np.asarray(vector, np.float32)


def text_of(unit: Unit) -> str:
    """Return a unit as a short text, which travels to an actor."""
    files, texts = ([list(asdict(each).values()) for each in part] for part in (unit.files, unit.texts))
    return base64.b85encode(zlib.compress(json.dumps([unit.number, files, texts]).encode())).decode()


def unit_of(text: str) -> Unit:
    """Return the unit that `text_of` made a text of."""
    number, files, texts = json.loads(zlib.decompress(base64.b85decode(text)))
    return Unit(
        number, tuple(UnitFile(*cells) for cells in files), tuple(UnitText(*cells) for cells in texts)
    )


def job_of(facts: dict[str, Any]) -> Job:
    """Return the job that `asdict` made a dictionary of."""
    changed = {"facts": facts_of(facts["facts"]), "run": Run(**facts["run"])}
    return Job(**{**facts, **changed, "exclude": tuple(facts["exclude"])})


def outcome_of(text: str) -> Outcome:
    """Return the outcome that a worker's row holds."""
    facts = json.loads(text)
    problem = tuple(facts.pop("problem") or ()) or None
    return Outcome(**{**facts, "reasons": tuple(facts["reasons"])}, problem=problem)
