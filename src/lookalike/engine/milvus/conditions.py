"""Conditions as expressions of Milvus, as far as these go; the rest is decided by the SQL that the store has.

A condition becomes an expression that every item which meets it meets, too. Where the expression says more
than the condition (patterns with `*` or `?` in the middle, keywords, the columns of texts), what it finds is
read and held against the condition by SQLite, with the very statement that a local store would be asked.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from lookalike.engine.milvus.rows import LONGEST_FACT, ItemRow, lowered
from lookalike.store.filters import Filter, at_or_below, spellings, to_sql, unicode_lower

_NUMBERS = {"width", "height", "lat", "lon", "iso", "exposure", "rating"}
_WORDS = {"camera", "lens", "format", "title"}
_BEYOND = "~"  # stands behind all that a moment is written with


@dataclass(frozen=True, slots=True)
class Conditions:
    """Some conditions: `expression` holds for all items that meet them ("" for every item).

    `is_exact` tells that it holds for no other.
    """

    filters: tuple[Filter, ...]
    expression: str
    is_exact: bool
    texts: bool = False

    def among(self, rows: Iterable[ItemRow], places: Iterable[tuple[str, int]] = ()) -> set[int]:
        """Return the ids of those of the items that meet the conditions.

        `places` are uri and item of every place of texts.
        """
        connection = sqlite3.connect(":memory:")
        try:
            connection.create_function("unicode_lower", 1, unicode_lower, deterministic=True)
            connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, uri TEXT, metadata TEXT)")
            connection.execute("CREATE TABLE places (uri TEXT, item_id INTEGER)")
            cells = ((row.id, row.uri, row.metadata) for row in rows)
            connection.executemany("INSERT INTO items VALUES (?, ?, ?)", cells)
            connection.executemany("INSERT INTO places VALUES (?, ?)", places)
            parts = [to_sql(each, texts=self.texts) for each in self.filters]
            where = " AND ".join(["1", *(sql for sql, _ in parts)])
            values = [value for _, some in parts for value in some]
            return {row[0] for row in connection.execute(f"SELECT id FROM items WHERE {where}", values)}
        finally:
            connection.close()


def conditions_of(filters: Sequence[Filter], *, texts: bool = False) -> Conditions:
    """Return conditions on photos or texts; raises `UsageError` for those that a local store refuses, too."""
    expressions, is_exact = [], True
    for each in filters:
        to_sql(each, texts=texts)  # raises for what makes no sense
        expression, exact = _expression(each, texts=texts)
        expressions += [f"({expression})"] if expression else []
        is_exact &= exact
    return Conditions(tuple(filters), " and ".join(expressions), is_exact, texts)


def quoted(text: str) -> str:
    """Return text as expressions have it."""
    return json.dumps(text, ensure_ascii=False)


def one_of(field: str, values: Iterable[str | int]) -> str:
    """Return the expression for a field that has one of some values."""
    return (
        f"{field} in [{', '.join(quoted(each) if isinstance(each, str) else str(each) for each in values)}]"
    )


def below(root: str) -> str:
    """Return the expression for a uri at or below a place; see `store.filters.at_or_below`."""
    _, ends = at_or_below(root)
    parts = [
        f"uri == {quoted(start)} or (uri > {quoted(low)} and uri < {quoted(high)})"
        for start, low, high in zip(ends[::3], ends[1::3], ends[2::3], strict=True)
    ]
    return f"({' or '.join(parts)})"


def _expression(condition: Filter, *, texts: bool) -> tuple[str, bool]:
    field, operator, value = condition.field, condition.operator, condition.value
    found = "", False  # every item, to be looked at
    if field == "id":
        found = f"id {_sign(operator)} {_whole(operator, value)}", True
    elif field == "folder" and not texts:  # further places of a text are elsewhere
        found = _folder(operator, value), True
    elif texts:
        pass
    elif field == "uri" and operator not in ("=", "!="):
        found = f"uri {operator} {quoted(value)}", True
    elif field in _NUMBERS and not 2**53 <= abs(float(value)) < inf:  # which floats cannot tell apart
        found = f'facts["{field}"] {_sign(operator)} {_number(field, operator, value)}', True
    elif field == "taken":
        found = _taken(operator, value)
    elif field in _WORDS and operator in ("=", "!="):
        found = _words(field, operator, value)
    return found


def _sign(operator: str) -> str:
    return "==" if operator == "=" else operator


def _words(field: str, operator: str, value: str) -> tuple[str, bool]:
    """Compare text that has to begin with, or to be, what the condition says."""
    wanted, fact = lowered(value), f'facts["{field}"]'
    start = wanted.partition("*")[0].partition("?")[0]
    if len(wanted) >= LONGEST_FACT or "%" in start or "\\" in start:
        return "", False
    is_prefix = wanted == f"{start}*"
    if wanted != start and not is_prefix:
        return (f"{fact} like {quoted(start + '%')}", False) if start and operator == "=" else ("", False)
    if is_prefix and not start:
        return f'{fact} >= ""' if operator == "=" else f'{fact} < ""', True
    if operator == "=":
        return (f"{fact} like {quoted(start + '%')}" if is_prefix else f"{fact} == {quoted(wanted)}"), True
    if is_prefix:
        return f'{fact} >= "" and not ({fact} like {quoted(start + "%")})', True
    return f'{fact} >= "" and {fact} != {quoted(wanted)}', True


def _taken(operator: str, value: str) -> tuple[str, bool]:
    """Compare moments as far as the value goes: 2019 stands for all of that year."""
    value, fact = value.replace(" ", "T").upper(), 'facts["taken"]'
    if set("*?") & set(value):
        return "", False
    start, end = f"{fact} >= {quoted(value)}", f"{fact} < {quoted(value + _BEYOND)}"
    return {
        "=": f"{start} and {end}",
        "!=": f'{fact} >= "" and ({fact} < {quoted(value)} or {fact} >= {quoted(value + _BEYOND)})',
        "<": f'{fact} >= "" and {fact} < {quoted(value)}',
        "<=": f'{fact} >= "" and {end}',
        ">": f"{fact} >= {quoted(value + _BEYOND)}",
        ">=": start,
    }[operator], True


def _folder(operator: str, value: str) -> str:
    expression = " or ".join(below(spelling) for spelling in spellings(value))
    return expression if operator == "=" else f"not ({expression})"


def _number(field: str, operator: str, value: str) -> str:
    """Return a number as Milvus reads it; `!=` needs the field to be there, too."""
    number = float(value)
    written = f"{number:.0f}" if number.is_integer() and abs(number) < 2**53 else repr(number)
    if number in (inf, -inf):
        written = "1.7e308" if number > 0 else "-1.7e308"
    return f'{written} and facts["{field}"] > -1.7e308' if operator == "!=" else written


def _whole(operator: str, value: str) -> str:
    """Return what whole numbers are compared with instead of any number."""
    number = max(-(2.0**62), min(2.0**62, float(value)))
    if number.is_integer():
        return str(int(number))
    if operator in ("=", "!="):
        return "-1"  # which no id is
    return str(int(number // 1) + (operator in ("<", ">=")))
