"""Columns of tables: which one holds the texts, what the others are called, and values as texts."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from lookalike.errors import UsageError
from lookalike.records import MetadataValue

MOST_COLUMNS = 256
LONGEST_VALUE = 200
"""Letters of a value of another column that are kept."""

SURROGATE = re.compile("[\ud800-\udfff]")
_RESERVED = {"id", "uri", "folder"}
_USUAL = ("text", "texts", "sentence", "content", "body", "title")
_SPEAKERS = ("role", "from", "speaker", "author", "name")
_SAYINGS = ("content", "value", "text", "message")


def choose(names: Sequence[str], wanted: str | None) -> str:
    """Return the column that is wanted; raises `UsageError` where that is none of `names`."""
    shown = ", ".join(names[:20]) or "none"
    if wanted is None:
        usual = [name for name in _USUAL if name in names]
        if usual or len(names) == 1:
            return usual[0] if usual else names[0]
        raise UsageError(f"which column holds the texts? it has {shown}; say so with --column NAME")
    if wanted in names:
        return wanted
    alike = [name for name in names if name.lower() == wanted.lower()]
    alike = alike or difflib.get_close_matches(wanted, names, 1)
    hint = f"; did you mean {alike[0]}?" if alike else ""
    raise UsageError(f"no column {wanted!r}: it has {shown}{hint}")


@lru_cache(256)
def names_of(header: tuple[str, ...]) -> tuple[str, ...]:
    """Return names for conditions: letters, digits and _, no two alike, none of an item's own."""
    made: dict[str, None] = {}
    for at, name in enumerate(header):
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or f"column_{at + 1}"
        while plain in _RESERVED or plain in made:
            plain += "_"
        made[plain] = None
    return tuple(made)


def too_many(names: Sequence[str]) -> str:
    """Say which columns are left out; empty where none is."""
    more = [repr(name) for name in names[MOST_COLUMNS:]]
    shown = ", ".join(more[:5]) + (" …" if len(more) > 5 else "")
    return f"columns beyond the {MOST_COLUMNS}th are left out ({shown})" if more else ""


def value_at(row: Mapping[str, Any], column: str) -> Any:
    """Return a value by its key, or by a path of keys with dots, any of which may hold dots itself."""
    if column in row:
        return row[column]
    for at, letter in enumerate(column):
        inner = row.get(column[:at]) if letter == "." else None
        if isinstance(inner, Mapping) and (value := value_at(inner, column[at + 1 :])) is not None:
            return value
    return None


def paths_of(row: Mapping[str, Any]) -> list[str]:
    """Return the keys of a row, those inside others with a dot."""
    paths = []
    for key, value in row.items():
        inner = paths_of(value) if isinstance(value, Mapping) else []
        paths += [f"{key}.{each}" for each in inner] or [key]
    return paths


def facts_of(row: Mapping[str, Any], column: str) -> dict[str, MetadataValue]:
    """Return the plain values of the columns that do not hold the text."""
    keys = list(row)[:MOST_COLUMNS]
    found: dict[str, MetadataValue] = {}
    for key, name in zip(keys, names_of(tuple(map(str, keys))), strict=True):
        value = row[key]
        if key == column or value is None or isinstance(value, dict | list | tuple):
            continue
        if isinstance(value, float) and not math.isfinite(value):
            continue
        is_number = isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 63)
        found[name] = value if is_number else SURROGATE.sub("\ufffd", as_text(value)[:LONGEST_VALUE])
    return found


def as_text(value: Any) -> str:
    """Return a value as a person would write it down.

    What a chat says is one line for each saying, "who: what"; lists of sentences are lines, those of single
    words are words; a record is a line for each field.
    """
    if isinstance(value, str):
        text = value
    elif value is None:
        text = ""
    elif isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, Mapping):
        text = _record(value)
    elif isinstance(value, tuple) and len(value) == 2:  # of a map
        text = f"{as_text(value[0])}: {as_text(value[1])}"
    elif isinstance(value, list | tuple):
        text = _joined(map(as_text, value))
    else:
        text = str(value)
    return text


def _record(record: Mapping[str, Any]) -> str:
    said = next((record[key] for key in _SAYINGS if record.get(key) is not None), None)
    who = next((record[key] for key in _SPEAKERS if isinstance(record.get(key), str)), None)
    if said is not None and who is not None:
        return f"{who}: {as_text(said)}"
    if said is not None and set(record) <= {"type", *_SAYINGS}:  # a part of a saying
        return as_text(said)
    return "\n".join(f"{key}: {as_text(each)}" for key, each in record.items() if each is not None)


def _joined(parts: Iterable[str]) -> str:
    texts = [part for part in parts if part]
    return (" " if all(" " not in text and "\n" not in text for text in texts) else "\n").join(texts)
