"""Embedding on a cluster: list → plan → read, decode and embed → shards. `embed_photos` names these steps."""

from __future__ import annotations

from pathlib import Path

from lookalike.cluster.layout import EmbeddedSpace, Facts, shard_names
from lookalike.cluster.place import Folder, place_at
from lookalike.cluster.plan import Counts, Plan, unit_size
from lookalike.cluster.run import EmbedReport, EmbedRequest, EmbedRun, Tally
from lookalike.cluster.session import check_reach, need_ray, ray_session
from lookalike.cluster.shards import read_about
from lookalike.cluster.texts import embed_texts
from lookalike.decode.formats import reader_version
from lookalike.embedders import Embedder, EmbedderSpec, PairedEmbedder, TextEmbedder
from lookalike.embedders.loaded import LoadedEmbedders
from lookalike.errors import ModelError, NotFoundError
from lookalike.ingest.contents import begins_like_photo
from lookalike.models import DEFAULT_MODEL, DEFAULT_TEXT_MODEL
from lookalike.records import Kind, OnStep
from lookalike.sources.everywhere import WideWalk, kind_of
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.paths import as_source
from lookalike.sources.remote.addresses import Source

_MOST_PER_UNIT = 512  # photos


def embed(request: EmbedRequest) -> EmbedReport:
    """Embed what is new or changed in the sources; whatever is killed, the same call goes on.

    Raises `LookalikeError`s before anything is touched, or with what is done kept.
    """
    need_ray()  # what is missing is said before anything is done
    if request.ray is not None:
        check_reach(request.ray)
    sources = _sources(request)
    kind = _kind(request, sources)
    default = DEFAULT_TEXT_MODEL if kind == "text" else DEFAULT_MODEL
    # Naming a model is the user's agreement to run it.
    embedder = LoadedEmbedders(device="cpu").load(request.model or default, request.on_step)
    if embedder.spec.kind != kind:
        raise ModelError(
            f"{embedder.spec.name} embeds {embedder.spec.kind}s, and these are {kind}s: name another --model"
        )
    if isinstance(embedder, TextEmbedder):
        return embed_texts(request, sources, embedder)
    return embed_photos(request, sources, embedder)


def _kind(request: EmbedRequest, sources: list[Source]) -> Kind:
    """Return what is to be embedded, by what was said of it or by the names of the files."""
    if (request.column, request.encoding, request.delimiter) != (None, None, None):
        return "text"
    return request.kind or kind_of(sources, Exclusions.of(request.exclude)) or "photo"


def embed_photos(request: EmbedRequest, sources: list[Source], embedder: Embedder) -> EmbedReport:
    """Embed photos; see `embed`."""
    place = place_at(request.target)
    parts = EmbedRun(place, _facts(embedder))
    parts.check()
    own = place.path if isinstance(place, Folder) else None
    walk = WideWalk(sources, own, Exclusions.of(request.exclude), "photo", begins_like_photo)
    with Plan(parts.facts.reader) as plan:
        for found in plan.record_found(walk.files()):
            request.on_step("looking", found, None)
        _refuse_nothing(plan, parts, walk, request)
        counts, tally = _run(parts, plan, request)
    skipped = counts.skipped + tally.skipped
    return EmbedReport(
        tally.items + counts.unchanged + skipped,
        tally.items,
        counts.unchanged,
        skipped,
        counts.gone,
        tuple(tally.reasons),
        dict(walk.excluded + tally.excluded),
        dict(walk.aside + tally.aside),
    )


def _sources(request: EmbedRequest) -> list[Source]:
    """Return paths and addresses; raises `NotFoundError` for a path that is not there, `UsageError`."""
    sources = [as_source(each) for each in request.sources]
    for each in sources:
        if isinstance(each, Path) and not each.exists():
            raise NotFoundError(f"no such file or folder: {each}")
    return sources


def _run(parts: EmbedRun, plan: Plan, request: EmbedRequest) -> tuple[Counts, Tally]:
    """Have the cluster do what no finished shard holds; returns what there was, and what that came to."""
    seen = _record_done(parts, plan, request.on_step)
    counts, tally = plan.settle(afresh=request.afresh), Tally()
    if not counts.to_do:
        if not parts.is_finished():
            parts.finish(parts.begin())
        return counts, tally
    with ray_session(request.ray) as session:  # which may fail, before anything is touched
        pool = parts.pool(session, request.device)
        run = parts.begin()
        _record_done(parts, plan, request.on_step, seen)  # of another run, which ends here
        counts = plan.settle(afresh=request.afresh)
        before = counts.unchanged + counts.skipped
        total = None if counts.holders else counts.found
        request.on_step("reading", before, total)
        units = plan.units(unit_size(counts.to_do, pool.actors, _MOST_PER_UNIT))
        for outcome in parts.outcomes(session, run, pool, units, request.exclude):
            tally.add(outcome)
            request.on_step("reading", before + tally.items + tally.skipped, total)
    parts.finish(run)
    return counts, tally


def _facts(embedder: Embedder) -> Facts:
    companion = _space(embedder.companion.spec) if isinstance(embedder, PairedEmbedder) else None
    return Facts(embedder.spec.kind, _space(embedder.spec), companion, reader_version())


def _space(spec: EmbedderSpec) -> EmbeddedSpace:
    return EmbeddedSpace(spec.name, spec.reference, spec.model_id, spec.dim)


def _record_done(
    parts: EmbedRun, plan: Plan, on_step: OnStep, seen: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Tell the plan what finished shards hold, but for those seen before; returns the names of all.

    Raises `DamagedError` for one that is damaged, which is named, and left to be removed.
    """
    names = shard_names(parts.place)
    for done, name in enumerate(names, 1):
        if name not in seen:
            plan.record_done(read_about(parts.place, name, parts.facts))
            on_step("looking at what is done", done, len(names))
    return frozenset(names)


def _refuse_nothing(plan: Plan, parts: EmbedRun, walk: WideWalk, request: EmbedRequest) -> None:
    """Raise `NotFoundError` where a new place would stay empty."""
    if plan.count_found() or not parts.is_new():
        return
    counts = [f"{count:,} {kind}{'s' * (count != 1)} left aside" for kind, count in walk.aside.items()]
    counts += [f"{count:,} left out ({reason})" for reason, count in walk.excluded.items()]
    raise NotFoundError(
        f"nothing in {', '.join(request.sources)} could be taken in, so nothing was made: "
        f"{'; '.join(counts) or 'there are no files'}"
    )
