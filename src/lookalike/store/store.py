"""The store of one collection: opens the file and hands out its parts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lookalike.durable import make_folder
from lookalike.errors import (
    BusyError,
    ModelMismatchError,
    NotACollectionError,
    NotFoundError,
    StorageError,
    UsageError,
)
from lookalike.records import CopiedItem, Kind, Passage, Space, Vote
from lookalike.store.acknowledged import ACKNOWLEDGED_FILE
from lookalike.store.clock import tick
from lookalike.store.commit import FilledVector, Written, fill_vector
from lookalike.store.copied import put_copied_item, put_copied_vote
from lookalike.store.copy_mark import read_copy_mark, write_copy_mark
from lookalike.store.credits import Credits
from lookalike.store.decisions import Decisions
from lookalike.store.discard import discard_empty
from lookalike.store.items import Items, delete_item
from lookalike.store.lock import LOCK_FILE, CollectionLock
from lookalike.store.opening import clear_leftovers, finish_rescue, open_database
from lookalike.store.photo_commit import PhotoBatch, PhotoWriter, RunMemory
from lookalike.store.rows import vectors_table
from lookalike.store.scan import Scan
from lookalike.store.schema import VECTORS_TABLE, run_script
from lookalike.store.spaces import read_spaces, seal_spaces, space_of
from lookalike.store.store_file import check_header
from lookalike.store.text_commit import TextBatch, TextWriter
from lookalike.store.text_scan import TextScan
from lookalike.store.texts import Texts
from lookalike.store.vectors import SpaceVectors
from lookalike.store.votes import Votes

STORE_FILE = "store.sqlite"
_OWN_NAMES = (STORE_FILE, LOCK_FILE, ACKNOWLEDGED_FILE, ".")


class Store:
    """Items, vectors and skipped inputs of the collection in `folder`.

    Opening raises `NotFoundError` when there is none and `create` is False, `NotACollectionError` when the
    folder is something else, `NewerFormatError`, `DamagedError` or `StorageError`.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        path = folder / STORE_FILE
        _finish_old_rescue(path)
        _check_folder(folder, path, create)
        if create:
            try:
                make_folder(folder)
            except OSError as error:
                raise StorageError(f"cannot create {folder}: {error.strerror}") from error
        check_header(path)  # before anything is made beside what may be another program's
        was_locked = (folder / LOCK_FILE).exists()
        self._lock = CollectionLock(folder)
        try:
            if self._lock.alone:
                finish_rescue(path)
                clear_leftovers(folder)
            self.database, _ = open_database(path, create=create, alone=self._lock.alone)
            self._lock.share()
        except OSError as error:
            self._lock.close()
            raise StorageError(f"cannot open {folder}: {error.strerror}") from error
        except BaseException as error:
            self._lock.close()
            if isinstance(error, NotACollectionError) and not was_locked:
                (folder / LOCK_FILE).unlink(missing_ok=True)
            raise
        self.items = Items(self.database)
        self.texts = Texts(self.database)
        self.votes = Votes(self.database)
        self.credits = Credits(self.database)
        self.decisions = Decisions(self.database)

    @property
    def writers(self) -> int:
        """Batches that may be under way at once: one, since a file has one writer."""
        return 1

    def spaces(self) -> list[Space]:
        """Return the spaces, the oldest first."""
        with self.database.reading() as connection:
            return read_spaces(connection)

    def default_space(self) -> Space | None:
        """Return the space that is searched unless another is named; None while there is none."""
        return next((space for space in self.spaces() if space.is_default), None)

    def ensure_space(
        self,
        name: str,
        model_id: str,
        dim: int,
        *,
        kind: Kind = "photo",
        reference: str = "",
        approximate: bool = False,
    ) -> Space:
        """Return the space of a model, creating it; the first one becomes the default.

        Raises `ModelMismatchError` when a space of that name was made by another model file.
        """
        with self.database.writing() as connection:
            row = connection.execute("SELECT * FROM spaces WHERE name = ?", (name,)).fetchone()
            if row is None:
                (others,) = connection.execute("SELECT count(*) FROM spaces").fetchone()
                row = connection.execute(
                    "INSERT INTO spaces (name, model_id, dim, is_default, kind, reference, approximate, "
                    "checksum) VALUES (?, ?, ?, ?, ?, ?, ?, 0) RETURNING *",
                    (name, model_id, dim, others == 0, kind, reference, approximate),
                ).fetchone()
                run_script(connection, VECTORS_TABLE.format(table=vectors_table(row[0])))
                seal_spaces(connection)
        space = space_of(row)
        check_model(self.folder, space, model_id, dim)
        return space

    def use_space(self, space: Space) -> None:
        """Make a space the one that is searched unless another is named.

        Raises `UsageError` where items have no vector in it, and would be found no more.
        """
        with self.database.writing() as connection:
            self._check_there(connection, space)
            held = f"SELECT item_id FROM {vectors_table(space.id)}"
            sql = f"SELECT count(*) FROM items WHERE id NOT IN ({held})"
            (missing,) = connection.execute(sql).fetchone()
            if missing:
                raise UsageError(
                    f"{missing:,} items have no vector by {space.name} and would be found no more: bring "
                    f"them in with lookalike models add {space.name}, or remove those whose files are gone: "
                    "lookalike add --prune FOLDER"
                )
            connection.execute("UPDATE spaces SET is_default = (id = ?)", (space.id,))
            seal_spaces(connection)

    def drop_space(self, space: Space) -> None:
        """Forget a space and its vectors; the items stay."""
        with self.database.writing() as connection:
            if self._check_there(connection, space):
                raise UsageError(f"{space.name} is the default; make another one that first")
            connection.execute("DELETE FROM spaces WHERE id = ?", (space.id,))
            connection.execute(f"DROP TABLE {vectors_table(space.id)}")
            seal_spaces(connection)

    def _check_there(self, connection: sqlite3.Connection, space: Space) -> bool:
        """Return whether a space is the default now; `NotFoundError` where it was dropped meanwhile."""
        sql = "SELECT is_default FROM spaces WHERE id = ? AND model_id = ?"
        row = connection.execute(sql, (space.id, space.model_id)).fetchone()
        if row is None:
            raise NotFoundError(f"no space named {space.name!r}: it was dropped meanwhile")
        return bool(row[0])

    def _check_default(self, connection: sqlite3.Connection, space: Space) -> None:
        """Refuse to make items without a vector in the default space, in which they would not be found."""
        if not self._check_there(connection, space):
            raise BusyError(f"another model than {space.name} was made the default meanwhile; run this again")
        write_copy_mark(self.folder, None)  # what comes in from files is no part of a copy

    def vectors(self, space: Space) -> SpaceVectors:
        """Return the vectors of a space."""
        return SpaceVectors(self.database, space)

    def commit(
        self,
        space: Space,
        batch: PhotoBatch,
        *,
        reader: str,
        is_gone: Callable[[str], bool],
        memory: RunMemory | None = None,
        companion: Space | None = None,
    ) -> Written[str]:
        """Put a batch on disk in one transaction; see `photo_commit.PhotoWriter`.

        `space` is the default one; raises `BusyError` where it no longer is.
        """
        with self.database.writing() as connection:
            self._check_default(connection, space)
            writer = PhotoWriter(connection, space, reader, is_gone, memory or RunMemory(), companion)
            return writer.write(batch)

    def commit_texts(
        self, space: Space, batch: TextBatch, *, reader: str, is_gone: Callable[[str], bool]
    ) -> Written[Passage]:
        """Put a batch of texts on disk in one transaction, like `commit`; see `text_commit.TextWriter`."""
        with self.database.writing() as connection:
            self._check_default(connection, space)
            return TextWriter(connection, space, reader, is_gone).write(batch)

    def fill(self, space: Space, rows: Sequence[FilledVector]) -> int:
        """Give items without one their vector in a space, all or none; returns how many still wanted it."""
        with self.database.writing() as connection:
            seq = tick(connection)
            return sum(fill_vector(connection, space, each, seq) for each in rows)

    @contextmanager
    def scan(self, space: Space, reader: str) -> Iterator[Scan]:
        """Hold a walk over the user's files against the store."""
        with self.database.scratch() as connection:
            yield Scan(connection, space, reader)

    @contextmanager
    def scan_texts(self, space: Space, reader: str) -> Iterator[TextScan]:
        """Hold a walk over the user's files of texts against the store."""
        with self.database.scratch() as connection:
            yield TextScan(connection, space, reader)

    def copy_source(self) -> str | None:
        """Return the place that is being copied into this collection, or None."""
        return read_copy_mark(self.folder)

    def note_copy_source(self, place: str | None) -> None:
        """Note that a copy from a place begins, or with None that it has ended."""
        write_copy_mark(self.folder, place)

    def check_served(self) -> None:
        """All of a file is there."""

    def put_copied(self, items: Sequence[CopiedItem]) -> dict[int, str]:
        """Keep items of another collection under the ids that they have, all or none; none is refused."""
        spaces = {space.id: space for space in self.spaces()}
        with self.database.writing() as connection:
            seq = tick(connection)
            for each in items:
                vectors = {spaces[number]: row for number, row in each.vectors.items()}
                put_copied_item(connection, each.item, each.places, vectors, seq)
        return {}

    def put_copied_votes(self, votes: Sequence[Vote]) -> None:
        """Keep votes as they were given in another collection."""
        with self.database.writing() as connection:
            for vote in votes:
                put_copied_vote(connection, vote)

    def forget_skips(self, uris: Sequence[str]) -> None:
        """Drop the record of inputs that were skipped."""
        if not uris:
            return
        with self.database.writing() as connection:
            connection.executemany("DELETE FROM skipped WHERE uri = ?", ((uri,) for uri in uris))

    def remove_vanished(self, items: Sequence[tuple[int, str]], is_vanished: Callable[[str], bool]) -> int:
        """Remove those of the items `(id, uri)` that still have that uri and of which `is_vanished` holds."""
        with self.database.writing() as connection:
            seq = tick(connection)
            removed = 0
            for item_id, uri in items:
                row = connection.execute("SELECT uri FROM items WHERE id = ?", (item_id,)).fetchone()
                if row == (uri,) and is_vanished(uri):
                    removed += delete_item(connection, item_id, seq)
            return removed

    def checkpoint(self) -> None:
        """Take the log over into the file."""
        self.database.checkpoint()

    def discard(self) -> None:
        """Take back a collection that was just made and has stayed empty; see `discard_empty`."""
        self.close()
        discard_empty(self.folder, with_folder=False)

    def close(self) -> None:
        """Close the file, and let go of the collection."""
        self.database.close()
        self._lock.close()


def check_model(folder: object, space: Space, model_id: str, dim: int) -> None:
    """Refuse to mix vectors of two models in one space."""
    if (space.model_id, space.dim) != (model_id, dim):
        raise ModelMismatchError(
            f"{folder}: its vectors were made by {space.name} with sha256 {space.model_id[:12]}…, but this "
            f"lookalike has {space.name} with {model_id[:12]}…; use the version that made it or a new one"
        )


def _finish_old_rescue(path: Path) -> None:
    """Put in place what a rescue of an earlier version left under another name when it was killed."""
    fresh = path.with_suffix(".salvage")
    if path.exists() or not fresh.exists():
        return
    try:
        fresh.replace(path)
    except FileNotFoundError:  # another process did it
        return
    except OSError as error:
        raise StorageError(f"cannot put the rescued {path} in its place: {error.strerror}") from error


def _check_folder(folder: Path, path: Path, create: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise NotACollectionError(f"{folder} is a file, not a collection folder")
    if path.exists():
        return
    # Another process may be making the store at this moment.
    others = folder.is_dir() and any(not each.name.startswith(_OWN_NAMES) for each in folder.iterdir())
    if create and others:
        raise NotACollectionError(
            f"{folder} holds other files; name a new or empty folder for the collection"
        )
    if others:
        raise NotACollectionError(f"{folder} is not a lookalike collection (it has no {STORE_FILE})")
    if not create:
        raise NotFoundError(f"no collection at {folder}; make one with: lookalike add FOLDER")
