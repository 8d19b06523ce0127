"""Conditions on an item's facts, as users write them and as SQL."""

from __future__ import annotations

import itertools
import math
import os
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote_from_bytes

from lookalike.errors import UsageError

_SYNTAX = re.compile(r"\s*([^\s<>=!](?:[^<>=!]*[^\s<>=!])?)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")
_MOST_SPELLINGS = 16  # of one path
_OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_SHARDS = (".tar", ".tar.gz", ".tgz", ".parquet")  # files that hold several photos
_LONGEST = 10_000  # letters of a value; SQLite takes no patterns above 50,000 bytes
_MOMENT = "0000-00-00T00:00:00"  # of which a condition on `taken` gives as much as it wants to
_MOMENT_LETTERS = "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
_NUMBERS = {"id", "width", "height", "lat", "lon", "iso", "exposure", "rating"}
_TEXTS = {"uri", "folder", "taken", "camera", "lens", "format", "title", "keywords"}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition: `field` `operator` `value`.

    Fields of photos: id, uri, folder (with what lies below it, or in a shard of that name), taken (ISO 8601,
    compared as far as the value goes: 2019 stands for all of that year), camera, lens, iso, exposure
    (seconds), format, width, height (pixels), lat, lon (degrees), rating (−1 to 5), title, keywords (each by
    itself). Those of texts: id, uri,
    folder (a file stands for the texts in it) and every column of their files; a column that has one of those
    three names is written with a dot before it, as in .id. Operators: = != < <= > >=. With = and !=, a text
    may hold * and ? for any letters, and neither case nor how accents are composed matters. An item without
    the field fails the condition.
    """

    field: str
    operator: str
    value: str


def parse_filter(text: str) -> Filter:
    """Read a condition such as `camera=canon*` or `taken>=2019-06`; raises `UsageError`.

    Which fields there are depends on what is asked: see `to_sql`.
    """
    parts = _SYNTAX.fullmatch(text)
    if parts is None:
        raise UsageError(f"cannot read the condition {text!r}; write FIELD=VALUE, such as camera='canon*'")
    return Filter(*parts.groups())


def to_sql(condition: Filter, *, texts: bool = False) -> tuple[str, list[str | float]]:
    """Return an SQL expression over `items` and its parameters, for items that are photos or texts.

    Raises `UsageError`.
    """
    field, operator, value = condition.field, condition.operator, condition.value
    if operator not in _OPERATORS:
        raise UsageError(f"no operator {operator!r}; there are {' '.join(_OPERATORS)}")
    if field == "folder":
        return _folder(operator, value, texts=texts)
    if len(value) > _LONGEST or not _is_utf8(value):
        raise UsageError(f"{field} is compared with text of up to {_LONGEST:,} letters")
    if texts and field != "id":
        return _place(condition) if field == "uri" else _column(condition)
    column = field
    if field not in ("id", "uri"):  # a damaged row must not end the whole search
        column = f"CASE WHEN json_valid(metadata) THEN json_extract(metadata, '$.{field}') END"
    if field in _NUMBERS:
        return f"({column}) {operator} ?", [_number(condition)]
    if field not in _TEXTS:
        raise UsageError(f"no field {field!r}; there are {', '.join(sorted(_NUMBERS | _TEXTS))}")
    if field == "taken":
        value = _moment(condition)
        if not set("*?") & set(value):
            column = f"substr({column}, 1, {len(value)})"
    if field == "keywords" and operator in ("=", "!="):
        return _like(f"'; ' || ({column}) || '; '", operator, f"*; {value}; *")
    if operator in ("=", "!="):
        return _like(column, operator, value)
    return f"({column}) {operator} ?", [value]


def _like(column: str, operator: str, value: str) -> tuple[str, list[str | float]]:
    """Compare text with a pattern, in any case."""
    negation = "NOT " if operator == "!=" else ""
    lower = f"lower({column})"  # SQLite's own knows ASCII only, and is fast
    if not value.isascii():
        lower = f"unicode_lower(CAST(({column}) AS BLOB))"  # damaged text would not get as far as Python
    value = unicodedata.normalize("NFC", value).lower()
    return f"{lower} {negation}GLOB ?", [value.replace("[", "[[]")]


def _column(condition: Filter) -> tuple[str, list[str | float]]:
    """Compare a column of a text's file, which may hold numbers, as such or as text."""
    operator, value = condition.operator, condition.value
    name = condition.field.removeprefix(".")
    if not _is_utf8(name):
        raise UsageError(f"no column {name!r}: its name is not text")
    column, named = (
        _BOOLEAN.format("json_type(metadata, ?)", "json_extract(metadata, ?)"),
        [f'$."{name}"'] * 2,
    )
    if set('"\\') & set(name) or not name.isprintable():  # stands in JSON otherwise than it reads
        fact = _BOOLEAN.format("type", "value")
        column, named = f"(SELECT {fact} FROM json_each(metadata) WHERE key = ?)", [name]
    column = f"(SELECT CASE WHEN json_valid(metadata) THEN {column} END AS fact)"
    as_text, as_number = "CAST(fact AS TEXT)", _AS_NUMBER
    number = _finite(value)
    if operator in ("=", "!="):
        sql, values = _like(as_text, operator, value)
        if number is not None:
            joined = "OR" if operator == "=" else "AND"
            sql = f"{sql} {joined} coalesce({as_number} {operator} ?, {operator == '!='})"
            values.append(number)
    elif number is not None:
        otherwise = f"typeof(fact) = 'text' AND fact GLOB '[0-9]*' AND fact {operator} ?"
        sql = f"coalesce({as_number} {operator} ?, {otherwise})"  # moments are text that begins with a number
        values = [number, value]
    else:
        sql, values = f"{as_text} {operator} ?", [value]
    return f"coalesce((SELECT fact IS NOT NULL AND ({sql}) FROM {column}), 0)", [*values, *named]


_BOOLEAN = "CASE {} WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE {} END"

_AS_NUMBER = """CASE WHEN typeof(fact) IN ('integer', 'real') THEN fact
    WHEN fact GLOB '[-+.0-9]*' AND fact GLOB '*[0-9]' AND substr(fact, 2) NOT GLOB '*[^.0-9]*'
    AND fact NOT GLOB '*.*.*' THEN CAST(fact AS REAL) END"""


def _place(condition: Filter) -> tuple[str, list[str | float]]:
    """Compare all the uris at which a text stands."""
    operator, value = condition.operator, condition.value
    if operator not in ("=", "!="):
        return f"uri {operator} ?", [value]
    sql, values = _like("uri", "=", value)
    negation = "NOT " if operator == "!=" else ""
    return f"id {negation}IN (SELECT item_id FROM places WHERE {sql})", values


def at_or_below(root: str) -> tuple[str, list[str]]:
    """Return an SQL expression over `uri`, and its parameters, for a place and all that lies below it.

    Below a folder may lie names that are not UTF-8, whose uris are percent-encoded (see `sources.uri_of`).
    The expression is made of ranges of the index on uri.
    """
    base = root.rstrip("/\\")
    separator = "\\" if "\\" in base and "/" not in base else "/"
    starts = [f"file://{quote_from_bytes(os.fsencode(base))}"]
    if _is_utf8(base):
        starts.append(base)
    ranges = [(start, start + separator, start + chr(ord(separator) + 1)) for start in starts]
    sql = " OR ".join(["uri = ? OR (uri > ? AND uri < ?)"] * len(ranges))
    return f"({sql})", [end for range_ in ranges for end in range_]


def in_file(file: str) -> tuple[str, list[str | int]]:
    """Return an SQL expression over `uri`, and its parameters, for the texts in a file: `x#12`, `x#12.3`.

    Another file's name may begin with this one's and a #.
    """
    if not _is_utf8(file):
        return "0", []
    sql = "(uri = ? OR (uri > ? AND uri < ? AND substr(uri, ?) NOT GLOB '*[^0-9.?]*'))"
    return sql, [file, f"{file}#", f"{file}$", len(file) + 2]


def unicode_lower(value: bytes | None) -> str | None:
    """Stand in for SQLite's `lower`; letters with accents come composed (NFC)."""
    return None if value is None else unicodedata.normalize("NFC", value.decode(errors="replace")).lower()


def _number(condition: Filter) -> float:
    try:
        number = float(condition.value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise UsageError(f"{condition.field} is a number; got {condition.value!r}")
    return number


def _moment(condition: Filter) -> str:
    """Return the value of a condition on `taken` as it would be stored."""
    value = condition.value.replace(" ", "T").upper()
    wild = condition.operator in ("=", "!=") and set("*?") & set(value)
    if wild and re.fullmatch(r"[0-9T:*?-]+", value):
        return value
    if not value or not re.fullmatch(_MOMENT_LETTERS, value + _MOMENT[len(value) :]):
        raise UsageError(
            f"taken is compared with a moment such as 2019, 2019-06 or 2019-06-30T18:05:00 (for = and != "
            f"also with * and ? in it); got {condition.value!r}"
        )
    return value


def _folder(operator: str, value: str, *, texts: bool) -> tuple[str, list[str | float]]:
    if operator not in ("=", "!="):
        raise UsageError("folder can be compared with = and != only")
    places, values = [], list[str | float]()
    for spelling in spellings(value):
        sql, ends = at_or_below(spelling)
        places.append(sql)
        values += ends
        if not texts and spelling.lower().endswith(_SHARDS) and _is_utf8(spelling):
            places.append("(uri > ? AND uri < ?)")
            values += [f"{spelling}#", f"{spelling}$"]
        if texts:
            file, bounds = in_file(spelling)
            places.append(file)
            values += bounds
    sql = f"({' OR '.join(places)})"
    if texts:
        sql = f"id IN (SELECT item_id FROM places WHERE {sql})"
    return ("" if operator == "=" else "NOT ") + sql, values


def spellings(path: str) -> list[str]:
    """Return a path in the forms that names with accents may have on disk, composed (NFC) and not (NFD)."""
    parts = re.split(r"([/\\])", path)
    forms = [dict.fromkeys((part, *(unicodedata.normalize(form, part) for form in _FORMS))) for part in parts]
    if math.prod(map(len, forms)) > _MOST_SPELLINGS:
        return list(dict.fromkeys((path, *(unicodedata.normalize(form, path) for form in _FORMS))))
    return ["".join(each) for each in itertools.product(*forms)]


def _finite(value: str) -> float | None:
    """Return the number that a value reads as."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, as names in older encodings have
        return False
    return True
