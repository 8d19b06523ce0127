"""A collection: what callers and faces use; `open_collection` holds its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, SupportsIndex

from lookalike.decisions import Decision
from lookalike.decode.pool import DecodePool
from lookalike.embedders import Embedder, TextEmbedder
from lookalike.open_collection import OpenCollection
from lookalike.places import place_of
from lookalike.progress import listening, unheard
from lookalike.records import Committed, Credit, Kind, OnStep, Space
from lookalike.search.arguments import Where, as_filters, check_vote, ids_of_all
from lookalike.searchable import SearchableCollection
from lookalike.sources.paths import AnyPath, as_path, as_source, require_some, split_present

if TYPE_CHECKING:  # a search from a cold start does without these, which are imported where used
    from lookalike.copies.groups import CopiesReport, CopyGroup, Level
    from lookalike.decode.tables import ReadAs
    from lookalike.reports import AddReport, RelocateReport
    from lookalike.transfer.copying import CopyReport
    from lookalike.transfer.transfer import ExportOptions, ExportReport, ImportReport, ImportRequest
    from lookalike.upkeep.verify import VerifyReport


class Collection(SearchableCollection):
    """The photos or texts of one purpose, in one folder; safe to use from several threads and processes.

    `path` is the collection's folder, made by the first `add`, or where it is in Milvus as text,
    `milvus://HOST:PORT/NAME`. `model` is the one for a new collection (an
    existing one keeps its own): a bundled name, a Hugging Face repository `owner/name[@revision]` or a folder
    of a model. A model that did not come with lookalike is run once it was named: here, in `add_model`, or on
    the command line. `device` is where models run: "auto", "cpu" or "cuda". `embedder` and `decoder` replace
    the built-in ones.
    """

    def __init__(
        self,
        path: AnyPath,
        *,
        model: str | None = None,
        embedder: Embedder | TextEmbedder | None = None,
        decoder: DecodePool | None = None,
        device: str = "auto",
    ) -> None:
        self.path = place_of(path)
        self._opened = OpenCollection(self.path, model, embedder, decoder, device)

    def add(  # noqa: PLR0913  # all by keyword
        self,
        *paths: AnyPath,
        column: str | None = None,
        read_as: ReadAs | None = None,
        kind: Kind | None = None,
        prune: bool = False,
        afresh: bool = False,
        exclude: Sequence[str] = (),
        on_step: OnStep | None = None,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> AddReport:
        """Bring in files, folders and remote places; what is in already and unchanged is not read again.

        A new collection holds photos, or texts where `column` or `kind` says so or only text files are found:
        rows of CSV, TSV, JSON and Parquet files, whose text is in `column`, and .txt and .md files; `read_as`
        says what is not to be found out about them. With `prune`, items below these paths whose files are
        gone, or are left out now, are removed. With `afresh`, unchanged files are read again, too. `exclude`
        holds patterns in the manner of .gitignore. `on_step(name, done, total)` hears of progress (else bars
        show it in a notebook), `on_commit` of every file once its outcome is on disk. Addresses
        (`s3://bucket/photos`) are text.
        Paths that do not exist are in the report's `absent`; `NotFoundError` is raised when none does, or
        where a new collection stays empty.
        """
        from lookalike.ingest.add import AddOptions, add_items

        present, absent = split_present(as_source(path) for path in paths)
        require_some(present, absent)
        with listening(on_step) as heard:
            listeners = heard, on_commit or unheard
            how = AddOptions(column, read_as, kind, prune, afresh, tuple(exclude), *listeners)
            report = add_items(self._opened, present, how)
        return replace(report, absent=(*absent, *report.absent))

    def add_model(self, model: str, *, on_step: OnStep | None = None) -> tuple[Space, int]:
        """Bring in a further model: all items are embedded by it, while the others go on serving.

        Returns its space and how many items it could not get, their files being gone or changed. Run again,
        it goes on. Raises `ModelError`, `ModelMismatchError`.
        """
        from lookalike.ingest.models import add_model

        with listening(on_step) as heard:
            return add_model(self._opened, model, heard)

    def use_model(self, name: str) -> None:
        """Make the space of that name the one that is searched unless another is named."""
        from lookalike.ingest import models

        models.use_model(self._opened, name)

    def drop_model(self, name: str) -> None:
        """Forget a space with its vectors, and the one that was filled beside it; not the default one."""
        from lookalike.ingest import models

        models.drop_model(self._opened, name)

    def import_vectors(
        self,
        request: ImportRequest,
        *,
        on_step: OnStep | None = None,
        on_commit: Callable[[Committed], None] | None = None,
    ) -> tuple[ImportReport, str | None]:
        """Bring in vectors made elsewhere with the photos or texts that they stand for.

        Returns what was done, and what hindered other spaces or indexes from being brought up to date, as one
        line. Nothing is touched unless vectors and names fit each other: raises `UsageError`,
        `ModelMismatchError`, `DamagedError`, `NotFoundError`.
        """
        from lookalike.transfer.transfer import import_space

        with listening(on_step) as heard:
            return import_space(self._opened, request, heard, on_commit or unheard)

    def export(
        self, folder: AnyPath, *, space: str | None = None, options: ExportOptions | None = None
    ) -> ExportReport:
        """Write the vectors and items of a space into a new folder: an array, a table, a Faiss index."""
        from lookalike.transfer.transfer import export_space

        return export_space(self._opened, as_path(folder), space, options)

    def copy_to(self, other: Collection, *, on_step: OnStep | None = None) -> CopyReport:
        """Copy this collection into another one, which has no other items; see `copy_collection`."""
        from lookalike.transfer.copying import copy_collection

        with listening(on_step) as heard:
            return copy_collection(self._opened, other._opened, heard)

    def copies(  # all by keyword but the level
        self,
        level: Level = "photo",
        *,
        paths: Iterable[AnyPath] = (),
        against: Iterable[AnyPath] = (),
        where: Where = (),
        look: bool = True,
        on_step: OnStep | None = None,
    ) -> CopiesReport:
        """Return groups of photos that are the same "file", the same "photo" or of the same "scene".

        `paths` and `where` say among which; with `against`, only groups that hold something of these paths
        and something else, the best of which is one of these. What is new is compared closely first, half an
        hour for 40,000 photos, and goes on from there when it was ended; without `look`, or where OpenCV is
        not installed, bytes and hashes tell what was not compared yet. `on_step(name, done, total)` hears of
        progress. Raises `NotFoundError` for a path that nothing is of, `UsageError` for texts.
        """
        from lookalike.copies.of_collection import wanted_among

        items = self.engine.items
        wanted = wanted_among(items, level, as_filters(where), tuple(paths), tuple(against))
        with listening(on_step) as heard:
            return self._copies().find(wanted, look=look, on_step=heard)

    def remove(self, *targets: AnyPath | SupportsIndex) -> int:
        """Remove items by id or by path (a folder stands for all items below it); returns how many.

        The files themselves are not touched. Raises `NotFoundError` when a target matches nothing, and then
        removes nothing.
        """
        items = self.engine.items
        return items.remove(ids_of_all(items, targets))

    def vote(self, query: str, item_id: int, value: int, *, space: str | None = None) -> None:
        """Keep what someone thinks of a hit of a query, named by `SearchResult.key`: 1, −1, or 0 to withdraw.

        Raises `NotFoundError` for an unknown item or space.
        """
        check_vote(query, value)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.engine.votes.put(query, item_id, value, self._opened.space(space).name, at)

    def credit(self, credit: Credit) -> None:
        """Keep what a space earned in a round of interleaved hits; see `interleaving`."""
        self.engine.credits.put(credit)

    def decide(self, decisions: Iterable[Decision]) -> None:
        """Keep what was decided about pairs of contents, all or none; it holds wherever these lie.

        Each replaces the former one on its pair, and a verdict of None withdraws that. Raises `UsageError`
        for what can be no decision.
        """
        self.engine.decisions.put(list(decisions))

    def trash_copies(self, group: CopyGroup, going: Set[int]) -> dict[int, str]:
        """Move the files of those members of a group to the trash; their items leave the collection.

        Returns why files stayed, by id. `lookalike copies --undo` puts them back. Raises `UsageError` for ids
        that are not in the group, `MissingExtraError`, `StorageError`, `BusyError`.
        """
        from lookalike.copies.removal import journal_of, trash_copies

        return trash_copies(group, going, journal_of(self.path), self.remove)

    def refresh_index(self) -> None:
        """Bring the index up to date now, building it where it is missing, damaged or worn."""
        self._opened.engine().refresh_indexes()

    def verify(self, *, repair: bool = False, files: bool = False) -> VerifyReport:
        """Check every item, vector and index file, and with `files` those of all items; name what is damaged.

        With `repair`, what the photos' own files can restore is read again, a broken store file is rescued
        row by row (the broken one is kept beside it), and damaged indexes are built anew.
        """
        from lookalike.upkeep.repair import verify_collection

        return verify_collection(self._opened, repair=repair, files=files)

    def relocate(self, old: AnyPath, new: AnyPath) -> RelocateReport:
        """Follow the photos at or below `old` to `new`, each whose file there has its size and sha256."""
        from lookalike.upkeep.relocate import relocate_items

        return relocate_items(self._opened, as_source(old), as_source(new))

    def close(self, *, wait: bool = True) -> None:
        """Stop the workers and close the files; the next use opens them again.

        An index that is being built in the background is waited for, or without `wait` given up.
        """
        self._opened.release(wait=wait)
        self._opened.decoder.close()
        for kept in (self._kept_copies, self._kept_told):
            if kept is not None:
                kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
