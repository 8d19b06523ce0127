"""Follows photos to another place, where `add` does not dare to: an empty folder stayed where they were."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

from lookalike.errors import NotFoundError, UsageError
from lookalike.files import open_bytes, stamp_of, stamp_with
from lookalike.open_collection import OpenCollection
from lookalike.reports import RelocateReport
from lookalike.sources.remote.addresses import Source
from lookalike.sources.sidecars import Sidecars
from lookalike.sources.uris import path_of, uri_of
from lookalike.store.relocation import Move, items_below, relocate
from lookalike.store.rows import ItemRow

_BLOCK = 1 << 20  # bytes


def relocate_items(opened: OpenCollection, old: Source, new: Source) -> RelocateReport:
    """Give photos at or below `old` the uris that their files have at `new`; see `Collection.relocate`."""
    if isinstance(old, str) or isinstance(new, str):
        raise UsageError(
            "only folders of this machine can be relocated; items whose remote objects have moved go with "
            f"them when their new place is added: lookalike add {new}"
        )
    if opened.kind() == "text":
        raise UsageError(
            "only photos can be relocated; for texts, delete the empty folder that stayed behind, then run: "
            f"lookalike add {new} --prune"
        )
    database = opened.local_engine(
        "relocate", "for Milvus, add the photos from where they are now"
    ).store.database
    opened.check_writable()
    tally: Counter[str] = Counter()
    left: list[tuple[str, str]] = []
    sidecars = Sidecars()
    for rows in items_below(database, uri_of(old)):
        moves = []
        for row in rows:
            move = _move_of(row, old, new, sidecars)
            if isinstance(move, Move):
                moves.append(move)
            else:
                left.append((row[1], move))
        for move, is_done in zip(moves, relocate(database, moves), strict=True):
            tally["moved"] += is_done
            if not is_done:
                left.append((move.row[1], "there is an item with that place, or it has just changed"))
    if not tally and not left:
        raise NotFoundError(f"nothing in the collection lies at or below {old}")
    database.checkpoint()
    return RelocateReport(tally["moved"], tuple(left))


def _move_of(row: ItemRow, old: Path, new: Path, sidecars: Sidecars) -> Move | str:
    """Return where an item goes, or the reason why it stays."""
    _, uri, content_hash, size, *_ = row
    place = _place(path_of(uri), old, new)
    if uri_of(place) == uri:
        return "it is there already"
    digest = hashlib.sha256()
    try:
        with open_bytes(place) as file:
            facts = os.fstat(file.fileno())
            stamp = stamp_with(stamp_of(facts), sidecars.of(place))
            if stamp.size != size:
                return "another file is there"
            while block := file.read(_BLOCK):
                digest.update(block)
    except (FileNotFoundError, NotADirectoryError):
        return "no file is there"
    except (OSError, ValueError) as error:
        return f"the file there cannot be read: {getattr(error, 'strerror', None) or error}"
    return Move(row, uri_of(place), stamp) if digest.digest() == content_hash else "another file is there"


def _place(path: str, old: Path, new: Path) -> str:
    """Return the path at `new` of what was at `path`, whose accents may be composed otherwise than `old`."""
    depth = len(Path(os.path.abspath(old)).parts)  # noqa: PTH100  # keeps no ".." parts
    return os.path.join(os.path.abspath(new), *Path(path).parts[depth:])  # noqa: PTH100, PTH118
