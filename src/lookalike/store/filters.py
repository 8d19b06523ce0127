"""Conditions on an item's facts, as users write them and as SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lookalike.errors import UsageError

_SYNTAX = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_NUMBERS = {"id", "width", "height", "lat", "lon"}
_TEXTS = {"uri", "folder", "taken", "camera", "format"}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition: `field` `operator` `value`.

    Fields: id, uri, folder (with what lies below it), taken (ISO 8601, any prefix of it), camera, format,
    width, height (pixels), lat, lon (degrees). Operators: = != < <= > >=. With = and !=, a text may hold
    * and ? for any letters, and case does not matter. An item without the field fails the condition.
    """

    field: str
    operator: str
    value: str


def parse_filter(text: str) -> Filter:
    """Read a condition such as `camera=canon*` or `taken>=2019-06`; raises `UsageError`."""
    parts = _SYNTAX.fullmatch(text)
    if parts is None:
        raise UsageError(f"cannot read the condition {text!r}; write FIELD=VALUE, such as camera='canon*'")
    condition = Filter(*parts.groups())
    to_sql(condition)
    return condition


def to_sql(condition: Filter) -> tuple[str, list[str | float]]:
    """Return an SQL expression over `items` and its parameters; raises `UsageError`."""
    field, operator, value = condition.field, condition.operator, condition.value
    if field == "folder":
        return _folder(operator, value)
    column = field if field in ("id", "uri") else f"json_extract(metadata, '$.{field}')"
    if field in _NUMBERS:
        return f"{column} {operator} ?", [_number(condition)]
    if field not in _TEXTS:
        raise UsageError(f"no field {field!r}; there are {', '.join(sorted(_NUMBERS | _TEXTS | {'folder'}))}")
    if operator in ("=", "!="):
        negation = "NOT " if operator == "!=" else ""
        return f"lower({column}) {negation}GLOB ?", [value.lower().replace("[", "[[]")]
    return f"{column} {operator} ?", [value]


def _number(condition: Filter) -> float:
    try:
        return float(condition.value)
    except ValueError:
        raise UsageError(f"{condition.field} is a number; got {condition.value!r}") from None


def _folder(operator: str, value: str) -> tuple[str, list[str | float]]:
    """Everything below a folder, as a range of the index on uri ('0' follows '/')."""
    if operator not in ("=", "!="):
        raise UsageError("folder can be compared with = and != only")
    base = value.rstrip("/\\")
    negation = "NOT " if operator == "!=" else ""
    return f"{negation}((uri > ? AND uri < ?) OR (uri > ? AND uri < ?))", [
        f"{base}/",
        f"{base}0",
        f"{base}\\",
        f"{base}]",
    ]
