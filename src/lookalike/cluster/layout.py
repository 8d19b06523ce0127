"""What lies in the folder of an embedding: its facts, its runs and its shards, by name and by column.

::

    embedded.json                          what made the vectors, written first
    runs/000002-5f3a9c1e.json              the run that writes now, or the last one: when it began and ended
    shards/000002-5f3a9c1e-00000017.parquet   what one unit of work came to, in the order of its uris
    files/000002-5f3a9c1e.json             of texts: the files that the run read to their end

A shard is written whole, under a name that only its unit has: done twice, it is the same file. Shards of a
later run come after those of earlier ones by name, and what they say of a uri counts instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lookalike.cluster.place import Place
from lookalike.errors import (
    DamagedError,
    ModelMismatchError,
    NewerFormatError,
    NotACollectionError,
    NotFoundError,
)
from lookalike.records import FileStamp, Kind
from lookalike.store.text_commit import TextFileRead

FORMAT = 1
FACTS_FILE = "embedded.json"
RUNS, SHARDS, FILES = "runs", "shards", "files"
_SHARD = re.compile(r"(\d{6}-[0-9a-f]{8})-(\d{8})\.parquet")
_RUN = re.compile(r"(\d{6})-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class EmbeddedSpace:
    """The space of some vectors: its name, the model's reference and sha256, and how many numbers."""

    space: str
    model: str
    model_id: str
    dim: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What made an embedding: a further run must be of the same, except for what reads (`reader`).

    `column`, `encoding` and `delimiter` are what was asked for of tables of texts.
    """

    kind: Kind
    own: EmbeddedSpace
    companion: EmbeddedSpace | None
    reader: str
    column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None

    def encoded(self) -> bytes:
        """Return what `FACTS_FILE` holds."""
        facts = {"format": FORMAT, **asdict(self)}
        return (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode()


def facts_of(facts: dict[str, Any]) -> Facts:
    """Return the facts that `asdict` made a dictionary of; raises `TypeError` and `KeyError` for others."""
    own, companion = EmbeddedSpace(**facts["own"]), facts["companion"]
    spaces = {"own": own, "companion": EmbeddedSpace(**companion) if companion else None}
    return Facts(**{**facts, **spaces})


def read_facts(place: Place) -> Facts | None:
    """Return the facts of an embedding; None where there is nothing at all.

    Raises `NotACollectionError` for a place of something else, `NewerFormatError`, `DamagedError`.
    """
    try:
        content = place.read(FACTS_FILE)
    except NotFoundError:
        if others := place.names():
            raise NotACollectionError(
                f"{place.address} holds other files ({others[0]} …) and no {FACTS_FILE}; name a new or empty "
                "folder"
            ) from None
        return None
    try:
        facts: dict[str, Any] = json.loads(content)
        version = facts.pop("format")
        if isinstance(version, int) and version > FORMAT:
            raise NewerFormatError(f"{place.address} was written by a newer lookalike; update this one")
        return facts_of(facts)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedError(f"{place.address}/{FACTS_FILE} is not what lookalike embed writes") from error


def check_same(place: Place, found: Facts, wanted: Facts) -> None:
    """Raise `ModelMismatchError` where an embedding was made otherwise than is asked for now."""
    for what, theirs, ours in (
        ("kind", found.kind, wanted.kind),
        ("model", _named(found.own), _named(wanted.own)),
        ("second space", _named(found.companion), _named(wanted.companion)),
        ("column", found.column, wanted.column),
        ("encoding", found.encoding, wanted.encoding),
        ("delimiter", found.delimiter, wanted.delimiter),
    ):
        if theirs != ours:
            raise ModelMismatchError(
                f"{place.address} was begun with another {what}: {theirs}, not {ours}; go on with that one, "
                "or name another place with --to"
            )


def _named(space: EmbeddedSpace | None) -> str:
    return f"{space.space} (sha256 {space.model_id[:12]}…)" if space else "none"


@dataclass(frozen=True, slots=True)
class Run:
    """One run by its name, which orders runs: a number, and what tells it from one that began with it."""

    name: str

    @classmethod
    def of(cls, shard: str) -> Run:
        """Return the run that wrote a shard."""
        return cls(shard.removeprefix(f"{SHARDS}/").rpartition("-")[0])

    @property
    def file(self) -> str:
        """What it is noted in."""
        return f"{RUNS}/{self.name}.json"

    def shard(self, unit: int) -> str:
        """Return the name of the shard of one of its units."""
        return f"{SHARDS}/{self.name}-{unit:08}.parquet"


State = Literal["running", "finished"]


def begin_run(place: Place, token: str) -> Run:
    """Begin a run that follows all others; from here on they write nothing more.

    `token` is 8 hexadecimal digits that no other run has.
    """
    last = max([0, *(int(match[1]) for name in _run_names(place) if (match := _RUN.match(name)))])
    run = Run(f"{last + 1:06}-{token}")
    note_run(place, run, "running")
    for name in place.names(RUNS):
        if name < f"{run.name}.json":
            place.remove(f"{RUNS}/{name}")
    return run


def note_run(place: Place, run: Run, state: State, **counts: int) -> None:
    """Note how a run stands."""
    place.write(run.file, (json.dumps({"state": state, **counts}, sort_keys=True) + "\n").encode())


def last_run(place: Place) -> tuple[Run, dict[str, Any]] | None:
    """Return the last run with what is noted of it; None where there was none."""
    names = [name for name in place.names(RUNS) if name.endswith(".json")]
    if not names:
        return None
    run = Run(names[-1].removesuffix(".json"))
    try:
        noted = json.loads(place.read(run.file))
    except ValueError as error:
        raise DamagedError(f"{place.address}/{run.file} is not what lookalike embed writes") from error
    return run, noted if isinstance(noted, dict) else {}


def is_superseded(place: Place, run: Run) -> bool:
    """Whether another run has begun after this one."""
    return any(name.removesuffix(".json") > run.name for name in place.names(RUNS))


def shard_names(place: Place) -> list[str]:
    """Return the names of all shards, those of earlier runs first."""
    return [f"{SHARDS}/{name}" for name in place.names(SHARDS) if _SHARD.fullmatch(name)]


def note_files(place: Place, run: Run, files: Sequence[TextFileRead]) -> None:
    """Note the files of texts that a run has read to their end."""
    rows = [
        [each.uri, each.stamp.size, each.stamp.mtime_ns, each.column, each.manner, each.rows]
        for each in files
    ]
    place.write(f"{FILES}/{run.name}.json", json.dumps(rows).encode())


def noted_files(place: Place) -> dict[str, tuple[TextFileRead, Run]]:
    """Return the files of texts as they were last read to their end, by uri, with the run that read them."""
    found = {}
    for name in place.names(FILES):
        try:
            rows = json.loads(place.read(f"{FILES}/{name}"))
            for uri, size, mtime_ns, column, manner, count in rows:
                file = TextFileRead(uri, FileStamp(size, mtime_ns), column, manner, count)
                found[uri] = file, Run(name.removesuffix(".json"))
        except (ValueError, TypeError) as error:
            raise DamagedError(
                f"{place.address}/{FILES}/{name} is not what lookalike embed writes"
            ) from error
    return found


def _run_names(place: Place) -> list[str]:
    return [name.rpartition("/")[2] for name in (*place.names(RUNS), *shard_names(place))]
