"""Embedding texts on a cluster: list → read here → embed there → shards. `embed_texts` names these steps.

Reading texts takes next to no time, so the command itself reads the files, from beginning to end, and sends
texts to the actors. A file that has changed is embedded again as a whole: its rows have shifted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count, islice

from lookalike.cluster.layout import EmbeddedSpace, Facts, note_files, noted_files, shard_names
from lookalike.cluster.place import Folder, place_at
from lookalike.cluster.plan import Unit, UnitFile, UnitText
from lookalike.cluster.run import EmbedReport, EmbedRequest, EmbedRun, Tally
from lookalike.cluster.session import ray_session
from lookalike.cluster.shards import read_about
from lookalike.decode.remarks import Remarks
from lookalike.decode.tables import ReadAs
from lookalike.decode.texts import TextFile
from lookalike.embedders import TextEmbedder
from lookalike.errors import LookalikeError, NotFoundError
from lookalike.ingest.texts import READER, damaged_rows, local_path, skipped_file
from lookalike.records import FoundFile, Passage, Skipped
from lookalike.sources.everywhere import WideWalk
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.kinds import is_text
from lookalike.sources.remote.addresses import Source
from lookalike.store.rows import encode_metadata
from lookalike.store.text_commit import TextFileRead
from lookalike.store.text_scan import TextFileToRead

_PER_UNIT = 512  # texts, as many as `add` embeds together
_UNITS_PER_ACTOR = 16  # of one data set


def embed_texts(request: EmbedRequest, sources: list[Source], embedder: TextEmbedder) -> EmbedReport:
    """Embed texts; see `embed.embed`."""
    place = place_at(request.target)
    parts = EmbedRun(place, _facts(embedder, request))
    parts.check()
    own = place.path if isinstance(place, Folder) else None
    walk = WideWalk(sources, own, Exclusions.of(request.exclude), "text")
    found = [each for each in walk.files() if not each.is_left_out]
    request.on_step("looking", len(found), None)
    if not found and parts.is_new():
        raise NotFoundError(f"no texts in {', '.join(request.sources)}, so nothing was made")
    reading, tally = _Reading(parts, request, embedder, frozenset(walk.named)), Tally()
    reading.look()
    to_read = [file for file in found if reading.is_to_read(file)]
    if to_read:
        with ray_session(request.ray) as session:  # which may fail, before anything is touched
            pool = parts.pool(session, request.device)
            run = parts.begin()
            reading.look()  # of another run, which ends here
            units = reading.units([file for file in to_read if reading.is_to_read(file)])
            for outcome in parts.outcomes(session, run, pool, units, per_actor=_UNITS_PER_ACTOR):
                tally.add(outcome)
                request.on_step("reading", reading.unchanged + tally.items + tally.skipped, None)
        parts.check_first(run)
        note_files(place, run, reading.ended)
        parts.finish(run)
    elif not parts.is_finished():
        parts.finish(parts.begin())
    return reading.report(found, tally, walk)


def _facts(embedder: TextEmbedder, request: EmbedRequest) -> Facts:
    spec = embedder.spec
    read_as = ReadAs(request.encoding, request.delimiter)
    own = EmbeddedSpace(spec.name, spec.reference, spec.model_id, spec.dim)
    reader = f"texts {READER} {request.column or ''}"
    return Facts("text", own, None, reader, request.column, read_as.encoding, read_as.delimiter)


@dataclass(slots=True)
class _Reading:
    """What one run reads: files that no earlier run has read to their end as they are now.

    `ended` are those that it has, `unchanged` counts texts that are done.
    """

    parts: EmbedRun
    request: EmbedRequest
    embedder: TextEmbedder
    named: frozenset[str]
    ended: list[TextFileRead] = field(default_factory=list)
    unchanged: int = 0
    remarks: Remarks = field(default_factory=Remarks)
    _noted: dict[str, TextFileRead] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _done: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(""))

    def look(self) -> None:
        """Learn what finished shards hold, and which files were read to their end."""
        self._noted = {uri: file for uri, (file, _) in noted_files(self.parts.place).items()}
        self._done.execute(
            "CREATE TABLE IF NOT EXISTS done (uri TEXT PRIMARY KEY, version INTEGER, lasting INTEGER) "
            "WITHOUT ROWID"
        )
        names = shard_names(self.parts.place)
        for number, name in enumerate(names, 1):
            if name not in self._seen:
                self._seen.add(name)
                table = read_about(self.parts.place, name, self.parts.facts)
                rows = zip(*(table[each].to_pylist() for each in ("uri", "version", "lasting")), strict=True)
                self._done.executemany("INSERT OR REPLACE INTO done VALUES (?, ?, ?)", rows)
                self.request.on_step("looking at what is done", number, len(names))

    def is_to_read(self, file: FoundFile) -> bool:
        """Whether a file is new or changed, or may be readable this time."""
        if file.stamp is None or self.request.afresh:
            return True
        noted = self._noted.get(file.uri)
        if noted is not None and noted.stamp == file.stamp:
            return False
        return not self._is_refused(file)

    def _is_refused(self, file: FoundFile) -> bool:
        """Whether a file could not be read for a reason that lasts, and is unchanged."""
        row = self._done.execute("SELECT version, lasting FROM done WHERE uri = ?", (file.uri,)).fetchone()
        return file.stamp is not None and row == (file.stamp.mtime_ns, 1)

    def units(self, files: list[FoundFile]) -> Iterator[Unit]:
        """Yield what files hold and no shard does, so many texts at a time, in their order."""
        number = count()
        texts: list[UnitText] = []
        refused: list[UnitFile] = []
        for each in self._read(files):
            if isinstance(each, UnitText):
                texts.append(each)
            else:
                refused.append(each)
            if len(texts) + len(refused) == _PER_UNIT:
                yield Unit(next(number), tuple(refused), tuple(texts))
                texts, refused = [], []
        if texts or refused:
            yield Unit(next(number), tuple(refused), tuple(texts))

    def _read(self, files: list[FoundFile]) -> Iterator[UnitText | UnitFile]:
        for file in sorted(files, key=lambda each: each.uri):
            if file.stamp is None:
                yield UnitFile(file.uri, 0, 0, file.problem or "it cannot be read")
            elif file.uri in self.named or is_text(file.uri):
                yield from self._read_file(TextFileToRead(file.uri, file.stamp, None, ""))
            else:
                yield _refused(Skipped(file.uri, "not a file of texts, by its name", file.stamp))

    def _read_file(self, file: TextFileToRead) -> Iterator[UnitText | UnitFile]:
        """Yield the texts of a file, wherever it lies, and the rows that cannot be read."""
        facts = self.parts.facts
        read_as = ReadAs(facts.encoding, facts.delimiter)
        rows = 0
        with ExitStack() as stack:
            try:
                path = stack.enter_context(local_path(file.uri))
                source = TextFile(path, file.uri, facts.column, self.embedder.reach, read_as=read_as)
                passages = source.passages()
                while page := list(islice(passages, _PER_UNIT)):
                    rows += len(page)
                    yield from self._unknown(page, file.stamp.mtime_ns)
            except (LookalikeError, OSError) as error:
                yield _refused(skipped_file(error, file, lasting=not rows))
                return
        yield from (_refused(each) for each in damaged_rows(source, file))
        self.remarks.add(source.remarks)
        had = self._noted.get(file.uri)
        if source.changed or (not rows and had is not None and had.rows):
            return  # something writes it: the next run reads it again
        manner = f"{READER} {facts.own.model_id} {read_as.note()}".rstrip()
        self.ended.append(TextFileRead(file.uri, file.stamp, facts.column, manner, rows))

    def _unknown(self, page: list[Passage], version: int) -> Iterator[UnitText]:
        """Yield the texts that no shard holds in this state of their file."""
        sql = "SELECT version FROM done WHERE uri = ?"
        for each in page:
            if not self.request.afresh and self._done.execute(sql, (each.uri,)).fetchone() == (version,):
                self.unchanged += 1
            else:
                metadata = encode_metadata(each.metadata)
                yield UnitText(each.uri, each.text, each.stamp.mtime_ns, metadata, version)

    def report(self, found: list[FoundFile], tally: Tally, walk: WideWalk) -> EmbedReport:
        """Return what the run came to."""
        self._done.close()
        uris, ended = {file.uri for file in found}, {file.uri for file in self.ended}
        same = [file for uri, file in self._noted.items() if uri in uris - ended]
        unchanged = self.unchanged + sum(file.rows or 0 for file in same)
        gone = sum(file.rows or 0 for uri, file in self._noted.items() if uri not in uris)
        report = EmbedReport(
            tally.items + unchanged + tally.skipped, tally.items, unchanged, tally.skipped, gone
        )
        return replace(
            report,
            reasons=tuple(tally.reasons),
            excluded=dict(walk.excluded),
            aside=dict(walk.aside),
            remarks=self.remarks.lines(),
        )


def _refused(skipped: Skipped) -> UnitFile:
    size, mtime_ns = (skipped.stamp.size, skipped.stamp.mtime_ns) if skipped.stamp else (0, 0)
    return UnitFile(skipped.uri, size, mtime_ns, skipped.reason, skipped.lasting)
