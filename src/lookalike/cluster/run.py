"""One run of an embedding: it begins in a place, has the cluster do units of work, and notes its end."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from lookalike.cluster.actors import Job, Outcome, outcome_of, text_of
from lookalike.cluster.layout import (
    FACTS_FILE,
    SHARDS,
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
from lookalike.cluster.place import Folder, Place
from lookalike.cluster.plan import Unit
from lookalike.cluster.session import Pool, RaySession, WorkersDiedError
from lookalike.errors import BusyError, LookalikeError
from lookalike.models import bundled_names
from lookalike.records import Kind, OnStep

_UNITS_PER_ACTOR = 64
"""Units of one data set: their list is held in memory, and actors wait for the last of them."""

_MOST_IDLE = 2  # attempts in which all workers die, before a run ends
_MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """What is asked for: `sources` into `target`, by the Ray cluster at `ray` or with None one made here.

    `column` and what follows it are for tables of texts.
    """

    sources: tuple[str, ...]
    target: str
    ray: str | None = None
    model: str | None = None
    device: str = "auto"
    exclude: tuple[str, ...] = ()
    afresh: bool = False
    kind: Kind | None = None
    column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
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
    remarks: tuple[str, ...] = ()
    """What else is to be known of the texts that were read, each as one line."""


@dataclass(slots=True)
class Tally:
    """What the units of a run have come to by now."""

    items: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one more unit."""
        self.items += outcome.items
        self.skipped += outcome.skipped
        self.excluded.update(outcome.excluded)
        self.aside.update(outcome.aside)
        self.reasons += outcome.reasons[: _MOST_REASONS - len(self.reasons)]


@dataclass(frozen=True, slots=True)
class EmbedRun:
    """What one call embeds into a place, in which everything was made by the same `facts`."""

    place: Place
    facts: Facts

    def check(self) -> None:
        """Refuse a place of something else, or of vectors made otherwise; nothing is touched."""
        found = read_facts(self.place)
        if found is not None:
            check_same(self.place, found, self.facts)

    def is_new(self) -> bool:
        """Whether nothing lies there yet."""
        return read_facts(self.place) is None

    def begin(self) -> Run:
        """Put the facts in a new place, and begin a run: from here on no other one writes."""
        if self.is_new():
            self.place.write(FACTS_FILE, self.facts.encoded())
        run = begin_run(self.place, secrets.token_hex(4))
        if isinstance(self.place, Folder):
            self.place.sweep(SHARDS)
        return run

    def is_finished(self) -> bool:
        """Whether the last run came to its end."""
        found = last_run(self.place)
        return found is not None and found[1].get("state") == "finished"

    def check_first(self, run: Run) -> None:
        """Raise `BusyError` where another run has begun meanwhile."""
        if is_superseded(self.place, run):
            raise BusyError(
                f"another lookalike embed has begun to write to {self.place.address}; this one ends"
            )

    def finish(self, run: Run) -> None:
        """Note that a run came to its end; raises `BusyError` where another has begun meanwhile."""
        self.check_first(run)
        note_run(self.place, run, "finished", shards=len(shard_names(self.place)))

    def pool(self, session: RaySession, device: str) -> Pool:
        """Return the actors for a device; bundled models are made for the processor."""
        is_bundled = self.facts.own.model in bundled_names()
        return session.pool("cpu" if device == "auto" and is_bundled else device)

    def outcomes(
        self,
        session: RaySession,
        run: Run,
        pool: Pool,
        units: Iterable[Unit],
        exclude: tuple[str, ...] = (),
        per_actor: int = _UNITS_PER_ACTOR,
    ) -> Iterator[Outcome]:
        """Have the cluster do units; yields what becomes of each, and raises what ends the job."""
        job = Job(self.place.address, self.facts, run, "cuda" if pool.gpus else "cpu", pool.cores, exclude)
        remaining = iter(units)
        while page := list(islice(remaining, per_actor * pool.actors)):
            waiting = {unit.number: text_of(unit) for unit in page}
            idle = 0  # attempts that came to nothing
            while waiting:
                before = len(waiting)
                try:
                    for answer in session.outcomes(job, list(waiting.values()), pool):
                        outcome = outcome_of(answer)
                        outcome.raise_problem()
                        if waiting.pop(outcome.unit, None) is not None:
                            yield outcome
                except WorkersDiedError as error:
                    idle = idle + 1 if len(waiting) == before else 0
                    if idle == _MOST_IDLE:
                        raise LookalikeError(
                            "workers of the cluster die again and again; what is done is kept. Most likely "
                            f"memory runs out: {error}"
                        ) from error
