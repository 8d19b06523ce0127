"""Embedding on a cluster: list → plan → read, decode and embed → shards. `embed_photos` names these steps."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.cluster.actors import Job, Outcome, Worker, outcome_of, rows_of
from lookalike.cluster.layout import (
    FACTS_FILE,
    SHARDS,
    EmbeddedSpace,
    Facts,
    Run,
    begin_run,
    check_same,
    is_superseded,
    note_run,
    read_facts,
    shard_names,
)
from lookalike.cluster.place import Folder, Place, place_at
from lookalike.cluster.plan import Counts, Plan, pages, unit_size
from lookalike.cluster.session import Pool, RaySession, ray_session
from lookalike.cluster.shards import arrow, read_about
from lookalike.decode.formats import reader_version
from lookalike.embed import EmbedderSpec, PairedEmbedder, TextEmbedder
from lookalike.embed.loaded import AnyEmbedder, LoadedEmbedders
from lookalike.errors import BusyError, ModelError, NotFoundError
from lookalike.ingest.photos import begins_like_photo
from lookalike.models import DEFAULT_MODEL, bundled_names
from lookalike.records import FoundFile, OnStep
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.walk import Walk

_MOST_PER_UNIT = 512
_UNITS_AT_ONCE = 2048
"""Units of one data set: their list is held in memory, and actors wait for the last of them."""

_MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """What is asked for: `sources` into `target`, by the Ray cluster at `ray` or with None one made here."""

    sources: tuple[str, ...]
    target: str
    ray: str | None = None
    model: str | None = None
    device: str = "auto"
    exclude: tuple[str, ...] = ()
    afresh: bool = False
    column: str | None = None
    on_step: OnStep = lambda *_: None


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What an embedding came to. `found` is the sum of `embedded`, `unchanged` and `skipped`.

    `gone` are in OUT from an earlier run and in no source now: they stay. `reasons` name some of the skipped.
    """

    found: int
    embedded: int
    unchanged: int
    skipped: int
    gone: int
    reasons: tuple[str, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    aside: Mapping[str, int] = field(default_factory=dict)


def embed_photos(request: EmbedRequest) -> EmbedReport:
    """Embed what is new or changed in the sources; whatever is killed, the same call goes on.

    Raises `LookalikeError`s before anything is touched, or with what is done kept.
    """
    arrow()  # what is missing is said before anything is done
    place = place_at(request.target)
    embedder = _embedder(request)
    facts = _facts(embedder)
    _check_facts(place, facts)
    walk = Walk(
        [Path(each) for each in request.sources],
        place.path if isinstance(place, Folder) else None,
        Exclusions.of(request.exclude),
        "photo",
        begins_like_photo,
    )
    with Plan(facts.reader) as plan:
        for seen in plan.record_found(_files(walk)):
            request.on_step("looking", seen, None)
        with ray_session(request.ray) as session:
            run = _begin(place, facts)
            _record_done(plan, place, facts, request.on_step)
            counts = plan.settle(afresh=request.afresh)
            pool = session.pool(_device(request.device, embedder.spec))
            job = Job(place.address, facts, run, "cuda" if pool.gpus else "cpu", pool.cores)
            tally = _run(session, job, pool, plan, counts, request.on_step)
        if is_superseded(place, run):
            raise BusyError(f"another lookalike embed has begun to write to {place.address}; this one ends")
        note_run(place, run, "finished", shards=len(shard_names(place)))
    return EmbedReport(
        counts.found,
        tally.items,
        counts.unchanged,
        counts.skipped + tally.skipped,
        counts.gone,
        tuple(tally.reasons),
        dict(walk.excluded),
        dict(walk.aside),
    )


def _embedder(request: EmbedRequest) -> AnyEmbedder:
    """Return the model, run here for its facts; naming it is the user's agreement to run it."""
    return LoadedEmbedders(device="cpu").load(request.model or DEFAULT_MODEL, request.on_step)


def _facts(embedder: AnyEmbedder) -> Facts:
    if isinstance(embedder, TextEmbedder):
        raise ModelError(f"{embedder.spec.name} embeds texts, not photos; choose another one with --model")
    companion = _space(embedder.companion.spec) if isinstance(embedder, PairedEmbedder) else None
    return Facts(embedder.spec.kind, _space(embedder.spec), companion, reader_version())


def _space(spec: EmbedderSpec) -> EmbeddedSpace:
    return EmbeddedSpace(spec.name, spec.reference, spec.model_id, spec.dim)


def _check_facts(place: Place, facts: Facts) -> None:
    """Refuse a place of something else, or of vectors made otherwise, before anything is touched."""
    found = read_facts(place)
    if found is not None:
        check_same(place, found, facts)


def _files(walk: Walk) -> Iterator[FoundFile]:
    """Yield the files of the sources; raises `NotFoundError` for a source that is not there."""
    for path in walk.paths:
        if not path.exists():
            raise NotFoundError(f"no such file or folder: {path}")
    return walk.files()


def _begin(place: Place, facts: Facts) -> Run:
    """Put the facts in a new place, and begin a run: from here on no other one writes."""
    if read_facts(place) is None:
        place.write(FACTS_FILE, facts.encoded())
    run = begin_run(place, secrets.token_hex(4))
    if isinstance(place, Folder):
        place.sweep(SHARDS)
    return run


def _record_done(plan: Plan, place: Place, facts: Facts, on_step: OnStep) -> None:
    """Tell the plan what finished shards hold; one that is damaged is named, and left to be removed."""
    names = shard_names(place)
    for done, name in enumerate(names, 1):
        plan.record_done(read_about(place, name, facts))
        on_step("looking at what is done", done, len(names))


def _device(device: str, spec: EmbedderSpec) -> str:
    """Return which device actors are to have; bundled models are made for the processor."""
    return "cpu" if device == "auto" and spec.reference in bundled_names() else device


def _run(session: RaySession, job: Job, pool: Pool, plan: Plan, counts: Counts, on_step: OnStep) -> _Tally:
    """Have the cluster do what is to do; raises what ends the job."""
    tally = _Tally()
    done = counts.unchanged + counts.skipped
    on_step("reading", done, counts.found)
    size = unit_size(counts.to_do, pool.actors, _MOST_PER_UNIT)
    for page in pages(plan.units(size), _UNITS_AT_ONCE):
        for row in session.map(Worker, job, rows_of(page), pool):
            outcome = outcome_of(row["outcome"])
            outcome.raise_problem()
            tally.add(outcome)
            on_step("reading", done + tally.items + tally.skipped, counts.found)
    return tally


@dataclass(slots=True)
class _Tally:
    """What the units of a run have come to by now."""

    items: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one more unit."""
        self.items += outcome.items
        self.skipped += outcome.skipped
        self.reasons += outcome.reasons[: _MOST_REASONS - len(self.reasons)]
