"""Reads labels and judgements: of folders, metadata, CSV files, TREC qrels, votes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path, PurePath
from typing import IO

from lookalike.engine.protocol import EngineItems
from lookalike.errors import NotFoundError, UsageError
from lookalike.evaluate.truth import Judgements, Labels, named
from lookalike.files import open_text
from lookalike.records import Item, Vote
from lookalike.search.queries import PHOTO, item_of, photo_key
from lookalike.sources.uris import path_of, uri_of

_LONGEST_ID = 18  # digits; SQLite's integers have 63 bits
_ITEM_COLUMNS = ("id", "uri", "path", "file", "item")


def labels_by_folder(items: EngineItems) -> Labels:
    """Label each item by the folder that it lies in, below what all have in common; a text, by its file.

    So 2019/holiday and 2020/holiday are two labels; folders of one name at several places are told of.
    """
    folders = {item.id: _folder(item) for page in items.pages() for item in page}
    names = _below_common(set(folders.values()))
    places: dict[str, list[str]] = {}
    for name in sorted(set(names.values())):
        places.setdefault(PurePath(name).name, []).append(name)
    several = [name for found in places.values() if len(found) > 1 for name in found]
    problems = [f"folders of the same name are labels of their own: {named(several)}"] if several else []
    return _some(Labels({each: names[folder] for each, folder in folders.items()}, problems), "folder")


def labels_by_field(items: EngineItems, field: str) -> Labels:
    """Label each item by a field of its metadata; those without it are left out.

    Raises `UsageError` where no item has it, naming fields that some have.
    """
    found, without, seen = dict[int, str](), 0, set[str]()
    for page in items.pages():
        for item in page:
            value = item.metadata.get(field)
            if value is None:
                without += 1
                seen.update(item.metadata)
            else:
                found[item.id] = str(value)
    if not found:
        raise UsageError(f"no item has the field {field!r}; there are: folder, {', '.join(sorted(seen))}")
    problems = [f"items without the field {field}, left out: {without:,}"] if without else []
    return _some(Labels(found, problems), f"field {field}")


def labels_from_csv(path: Path, items: EngineItems) -> Labels:
    """Read labels of a CSV with a column "label" and one of id, uri, path, file that names the item.

    Relative paths are taken from the file's folder. Unknown items and contradictions are left out and named.
    """
    found, unknown, torn = dict[int, str](), list[str](), set[int]()
    with _opened(path) as file:
        reader = csv.DictReader(file)
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        key = next((name for name in _ITEM_COLUMNS if name in columns), None)
        if key is None or "label" not in columns:
            raise UsageError(
                f"{path} has the columns {', '.join(columns) or '(none)'}; it needs label, and id, uri, path "
                "or file"
            )
        for row in reader:
            name, label = (row[key] or "").strip(), (row["label"] or "").strip()
            if not name or not label:
                continue
            item_id = find_item(items, name, path.parent)
            if item_id is None:
                unknown.append(name)
            elif found.setdefault(item_id, label) != label:
                torn.add(item_id)
    problems = _unknown(unknown, "labels")
    if torn:
        problems.append(f"items with more than one label, left out: {len(torn):,}")
    return _some(Labels({each: found[each] for each in found if each not in torn}, problems), str(path))


def qrels(path: Path, items: EngineItems) -> Judgements:
    """Read judgements in TREC's form: query, 0, item, grade, divided by blanks.

    Queries and items are ids or paths without blanks. Raises `UsageError` for a line of another form.
    """
    grades: dict[int, dict[int, float]] = {}
    unknown: list[str] = []
    known: dict[str, int | None] = {}
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            parts = line.split()
            if not parts:
                continue
            try:
                query, _, item, grade = parts
                value = float(grade)
                if not isfinite(value):
                    raise ValueError(grade)
            except ValueError:
                raise UsageError(
                    f"{path}, line {number}: expected query, 0, item and grade, got {line.strip()[:80]!r}"
                ) from None
            for name in (query, item):
                if name not in known:
                    known[name] = find_item(items, name, path.parent)
                    unknown += [name] if known[name] is None else []
            query_id, item_id = known[query], known[item]
            if query_id is not None and item_id is not None:
                grades.setdefault(query_id, {})[item_id] = value
    found = Judgements(grades, tuple(_unknown(unknown, "names")))
    return _relevant(found, str(path))


def from_votes(votes: Iterable[Vote], items: EngineItems) -> Judgements:
    """Take votes on queries by one item, or one photo that is an item too, for judgements.

    Votes on what was removed or has changed since are left out and counted, as are those on other queries.
    """
    grades: dict[int, dict[int, float]] = {}
    stale, other = 0, 0
    by_photo: dict[str, int] = {}
    votes = list(votes)
    if any(vote.query.startswith(PHOTO) for vote in votes):
        for page in items.pages():
            by_photo.update((photo_key(item.content_hash), item.id) for item in page)
    for vote in votes:
        query = item_of(vote.query) or by_photo.get(vote.query)
        if query is None:
            other += 1
        elif vote.uri is None or query not in items.get([query]):
            stale += 1
        else:
            grades.setdefault(query, {})[vote.item_id] = max(0.0, float(vote.value))
    problems = []
    if stale:
        problems.append(f"votes on items that were removed or have changed, left out: {stale:,}")
    if other:
        problems.append(f"votes on queries that are no single item, left out: {other:,}")
    return Judgements(grades, tuple(problems), only_judged=True)


def find_item(items: EngineItems, name: str, base: Path) -> int | None:
    """Return the id of an item named by id, uri, or path (relative ones from `base`); None if unknown."""
    is_number = name.isascii() and name.isdigit() and len(name) <= _LONGEST_ID
    if is_number and int(name) in items.get([int(name)]):
        return int(name)
    found = items.by_uri(name) or items.by_uri(uri_of(base / name))
    return None if found is None else found.id


def _folder(item: Item) -> PurePath:
    """Return what an item lies in: a photo in a folder, a text in a file."""
    path = PurePath(path_of(item.uri.partition("#")[0] if item.text is not None else item.uri))
    return path if item.text is not None else path.parent


def _below_common(folders: set[PurePath]) -> dict[PurePath, str]:
    """Return the path of each below the innermost folder that holds all; that folder itself by its name."""
    parts = [folder.parts for folder in folders]
    common = 0
    while parts and all(len(each) > common for each in parts) and len({each[common] for each in parts}) == 1:
        common += 1
    return {each: "/".join(each.parts[common:]) or each.name or str(each) for each in folders}


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    try:
        with open_text(path, "utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is no text file in UTF-8: {error}") from error


def _unknown(names: list[str], what: str) -> list[str]:
    if not names:
        return []
    return [f"{what} for items that the collection does not have: {len(names):,} ({named(names)})"]


def _some(labels: Labels, what: str) -> Labels:
    """Refuse labels by which nothing can be measured."""
    if not len(labels.queries):
        said = f" ({'; '.join(labels.problems)})" if labels.problems else ""
        raise UsageError(f"no two items have the same label by {what}{said}")
    if len(labels.names) < 2 and len(labels.queries) == len(labels.ids):
        raise UsageError(f"all items have one label by {what}, {labels.names[0]!r}: nothing could be wrong")
    return labels


def _relevant(judgements: Judgements, what: str) -> Judgements:
    if not len(judgements.queries):
        said = f" ({'; '.join(judgements.problems)})" if judgements.problems else ""
        raise UsageError(f"{what} names no relevant item for any query of this collection{said}")
    return judgements
