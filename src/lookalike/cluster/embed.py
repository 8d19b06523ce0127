"""Embedding on a cluster: list → plan → read, decode and embed → shards. `embed_photos` names these steps."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from lookalike.cluster.actors import Job, Outcome, outcome_of, text_of
from lookalike.cluster.layout import (
    FACTS_FILE,
    SHARDS,
    EmbeddedSpace,
    Facts,
    Run,
    begin_run,
    check_same,
    is_superseded,
    last_run,
    note_run,
    read_facts,
    shard_names,
)
from lookalike.cluster.place import Folder, Place, place_at
from lookalike.cluster.plan import Counts, Plan, pages, unit_size
from lookalike.cluster.session import RaySession, check_reach, need_ray, ray_session
from lookalike.cluster.shards import read_about
from lookalike.cluster.sources import Sources
from lookalike.decode.formats import reader_version
from lookalike.embed import EmbedderSpec, PairedEmbedder, TextEmbedder
from lookalike.embed.loaded import AnyEmbedder, LoadedEmbedders
from lookalike.errors import BusyError, ModelError, NotFoundError
from lookalike.models import DEFAULT_MODEL, bundled_names
from lookalike.records import OnStep
from lookalike.sources.exclusions import Exclusions

_MOST_PER_UNIT = 512
_UNITS_PER_ACTOR = 64
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
    need_ray()  # what is missing is said before anything is done
    place = place_at(request.target)
    embedder = _embedder(request)
    facts = _facts(embedder)
    _check_facts(place, facts)
    own = place.path if isinstance(place, Folder) else None
    sources = Sources(request.sources, "photo", own, Exclusions.of(request.exclude))
    if request.ray is not None:
        check_reach(request.ray)
    with Plan(facts.reader) as plan:
        for found in plan.record_found(sources.files()):
            request.on_step("looking", found, None)
        _refuse_nothing(plan, place, sources, request)
        seen = _record_done(plan, place, facts, request.on_step)
        counts = plan.settle(afresh=request.afresh)
        tally = _Tally()
        if counts.to_do:
            with ray_session(request.ray) as session:  # which may fail, before anything is touched
                run = _begin(place, facts)
                _record_done(plan, place, facts, request.on_step, seen)  # another run ended just now
                counts = plan.settle(afresh=request.afresh)
                tally = _embed(session, place, run, facts, plan, counts, request)
            _finish(place, run)
        elif not _is_finished(place):
            _finish(place, _begin(place, facts))
    return EmbedReport(
        counts.found,
        tally.items,
        counts.unchanged,
        counts.skipped + tally.skipped,
        counts.gone,
        tuple(tally.reasons),
        dict(sources.excluded),
        dict(sources.aside),
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


def _begin(place: Place, facts: Facts) -> Run:
    """Put the facts in a new place, and begin a run: from here on no other one writes."""
    if read_facts(place) is None:
        place.write(FACTS_FILE, facts.encoded())
    run = begin_run(place, secrets.token_hex(4))
    if isinstance(place, Folder):
        place.sweep(SHARDS)
    return run


def _is_finished(place: Place) -> bool:
    """Whether the last run came to its end."""
    found = last_run(place)
    return found is not None and found[1].get("state") == "finished"


def _finish(place: Place, run: Run) -> None:
    """Note that a run came to its end; raises `BusyError` where another has begun meanwhile."""
    if is_superseded(place, run):
        raise BusyError(f"another lookalike embed has begun to write to {place.address}; this one ends")
    note_run(place, run, "finished", shards=len(shard_names(place)))


def _record_done(
    plan: Plan, place: Place, facts: Facts, on_step: OnStep, seen: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Tell the plan what finished shards hold, but for those seen before; returns the names of all.

    Raises `DamagedError` for one that is damaged, which is named, and left to be removed.
    """
    names = shard_names(place)
    for done, name in enumerate(names, 1):
        if name not in seen:
            plan.record_done(read_about(place, name, facts))
            on_step("looking at what is done", done, len(names))
    return frozenset(names)


def _device(device: str, facts: Facts) -> str:
    """Return which device actors are to have; bundled models are made for the processor."""
    return "cpu" if device == "auto" and facts.own.model in bundled_names() else device


def _refuse_nothing(plan: Plan, place: Place, sources: Sources, request: EmbedRequest) -> None:
    """Raise `NotFoundError` where a new place would stay empty."""
    if plan.count_found() or read_facts(place) is not None:
        return
    counts = [f"{count:,} {kind}{'s' * (count != 1)} left aside" for kind, count in sources.aside.items()]
    counts += [f"{count:,} left out ({reason})" for reason, count in sources.excluded.items()]
    raise NotFoundError(
        f"nothing in {', '.join(request.sources)} could be taken in, so nothing was made: "
        f"{'; '.join(counts) or 'there are no files'}"
    )


def _embed(  # noqa: PLR0913  # what a run is made of
    session: RaySession,
    place: Place,
    run: Run,
    facts: Facts,
    plan: Plan,
    counts: Counts,
    request: EmbedRequest,
) -> _Tally:
    """Have the cluster do what is to do; raises what ends the job."""
    pool = session.pool(_device(request.device, facts))
    job = Job(place.address, facts, run, "cuda" if pool.gpus else "cpu", pool.cores)
    tally, done = _Tally(), counts.unchanged + counts.skipped
    request.on_step("reading", done, counts.found)
    size = unit_size(counts.to_do, pool.actors, _MOST_PER_UNIT)
    for page in pages(plan.units(size), _UNITS_PER_ACTOR * pool.actors):
        for answer in session.outcomes(job, [text_of(unit) for unit in page], pool):
            outcome = outcome_of(answer)
            outcome.raise_problem()
            tally.add(outcome)
            request.on_step("reading", done + tally.items + tally.skipped, counts.found)
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
