"""Conditions as expressions of Milvus, as far as these go; the rest is decided by the SQL that the store has.

A condition becomes an expression that every item which meets it meets, too. Where the expression says more
than the condition (patterns with `*` or `?` in the middle, texts that stand at several places), what it finds
is read and held against the condition by SQLite, with the very statement that a local store would be asked.

Expressions are made of ranges and of `==`: `_` and `%` are wild in `like`, and engines differ in what `!=`
and `not` say of an item that lacks the fact. Letters are compared as bytes of UTF-8, which is their order.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from lookalike.engine.milvus.facts import LONGEST_FACT, NUMBERS, OWN_URI, WORDS, fact, lowered
from lookalike.engine.milvus.rows import ItemRow
from lookalike.store.filters import Filter, at_or_below, in_file, spellings, to_sql, unicode_lower

CUT = 'facts["cut"] == true'
"""Holds for the items of which keywords or columns did not fit into what expressions look at."""

_LAST = chr(sys.maxunicode)  # of all letters
_MOST_EXACT = 2**53  # from which on floats cannot tell whole numbers apart
_LOWEST = "-1.7976931348623157e308"
_SEVERAL = "places > 1"  # of a text's uris, its row has the first one only


@dataclass(frozen=True, slots=True)
class Conditions:
    """Some conditions: `expression` holds for all items that meet them ("" for every item).

    `inexact` are those of them for which it holds beyond the items that meet them.
    """

    filters: tuple[Filter, ...]
    expression: str
    inexact: tuple[Filter, ...]
    texts: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether the expression holds for no other items than those that meet the conditions."""
        return not self.inexact

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


def conditions_of(filters: Sequence[Filter], *, texts: bool = False, some_cut: bool = False) -> Conditions:
    """Return conditions on photos or texts; raises `UsageError` for those that a local store refuses, too.

    `some_cut` tells that there are items for which `CUT` holds; see `hinge_on_cut`.
    """
    expressions, inexact = [], []
    for each in filters:
        to_sql(each, texts=texts)  # raises for what makes no sense
        expression, exact = _expression(each, texts=texts)
        if some_cut and hinge_on_cut([each], texts=texts):
            expression, exact = f"({expression}) or {CUT}" if expression else "", False
        expressions += [f"({expression})"] if expression else []
        inexact += [] if exact else [each]
    return Conditions(tuple(filters), " and ".join(expressions), tuple(inexact), texts)


def hinge_on_cut(filters: Iterable[Filter], *, texts: bool) -> bool:
    """Whether any of the conditions is on what items may lack in their facts; see `CUT`."""
    if texts:
        return any(each.field not in ("id", "uri", "folder") for each in filters)
    return any(each.field == "keywords" for each in filters)


def has_column(field: str) -> str:
    """Return what holds for the texts that have the column of a condition, unless they are `CUT`."""
    return f'{fact("t", field.removeprefix("."))} >= ""'


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
    if field == "id":
        found = f"id {_sign(operator)} {_whole(operator, value)}", True
    elif field == "folder":
        found = _folder_of_text(operator, value) if texts else (_ranges(condition), True)
    elif "\0" in value or "\0" in field:
        found = "", False
    elif field == "uri" and operator not in ("=", "!="):
        found = f"uri {operator} {quoted(value)}", True
    elif field == "uri":
        found = _like(OWN_URI, operator, value)
        if texts:
            found = f"({found[0]}) or {_SEVERAL}", False
    elif texts:
        found = _column(field.removeprefix("."), operator, value)
    elif field in NUMBERS:
        found = _number(field, operator, float(value))
    elif field == "taken":
        found = _taken(operator, value)
    elif field == "keywords" and operator in ("=", "!="):
        found = _keyword(operator, value)
    elif field in WORDS and operator in ("=", "!="):
        found = _like(field, operator, value)
    else:  # every item that has it, to be looked at
        found = 'facts["keyworded"] == 1' if field == "keywords" else f'{fact("t", field)} >= ""', False
    return found


def _sign(operator: str) -> str:
    return "==" if operator == "=" else operator


def _like(name: str, operator: str, value: str) -> tuple[str, bool]:
    """Compare text with a pattern, in any case; see `store.filters._like`."""
    small, there = fact("t", name), f'{fact("t", name)} >= ""'
    if value.isascii():
        wanted, text = value.lower(), small
    else:
        wanted, text = lowered(value), fact("u", name)
    if wanted.isascii() != value.isascii():  # letters that stand for those of ASCII, as the sign for kelvin
        return there, False
    start = re.split(r"[*?]", wanted)[0]
    is_prefix, is_whole = wanted == f"{start}*", wanted == start
    is_exact = (is_prefix or is_whole) and len(start) < LONGEST_FACT
    start = start[:LONGEST_FACT]
    if operator == "!=" and not is_exact:
        return there, False
    low, high = quoted(start), _after(start)
    if is_whole:
        found = f"{text} == {low}" if operator == "=" else f"{text} < {low} or {text} > {low}"
    elif operator == "=":
        found = f"{text} >= {low}" + (f" and {text} < {quoted(high)}" if high else "")
    else:
        found = f"{text} < {low}" + (f" or {text} >= {quoted(high)}" if high else "")
    return found, is_exact


def _after(start: str) -> str:
    """Return the first text behind all that begin with `start`; "" where there is none."""
    start = start.rstrip(_LAST)
    if not start:
        return ""
    following = ord(start[-1]) + 1
    return start[:-1] + chr(0xE000 if following == 0xD800 else following)  # between them are no letters


def _keyword(operator: str, value: str) -> tuple[str, bool]:
    """Compare each keyword by itself."""
    there = 'facts["keyworded"] == 1'
    wanted = value.lower() if value.isascii() else lowered(value)
    if wanted.isascii() != value.isascii() or re.search(r"[*?]|; ", wanted):
        return there, False
    has = f"json_contains({fact('t' if value.isascii() else 'u', 'keywords')}, {quoted(wanted)})"
    return (has if operator == "=" else f"{there} and not {has}"), True


def _column(name: str, operator: str, value: str) -> tuple[str, bool]:
    """Compare a column of a text's file, as text and as a number; see `store.filters._column`."""
    there = f'{fact("t", name)} >= ""'
    number = _finite(value)
    if number is not None and abs(number) >= _MOST_EXACT:
        return there, False
    is_number = fact("n", name)
    if operator in ("=", "!="):
        found, exact = _like(name, operator, value)
        if number is not None:
            written = _written(number)
            if operator == "=":
                found = f"({found}) or {is_number} == {written}"
            else:
                other = f'{is_number} < {written} or {is_number} > {written} or {is_number} == ""'
                found = f"({found}) and ({other})"
        return found, exact
    if len(value) >= LONGEST_FACT:
        return there, False
    if number is None:
        return _as_is(name, [(operator, value)]), True
    as_is = _as_is(name, [(">=", "0"), ("<", ":"), (operator, value)])  # moments begin with a digit, too
    return f'{is_number} {operator} {_written(number)} or ({is_number} == "" and ({as_is}))', True


def _as_is(name: str, comparisons: Sequence[tuple[str, str]]) -> str:
    """Return the expression that compares text in its own letters."""
    small, own = fact("t", name), fact("r", name)
    parts = [(own, f'{own} > ""'), (small, f'{own} == ""')]
    found = (
        " and ".join([which, *(f"{text} {sign} {quoted(value)}" for sign, value in comparisons)])
        for text, which in parts
    )
    return " or ".join(f"({each})" for each in found)


def _taken(operator: str, value: str) -> tuple[str, bool]:
    """Compare moments as far as the value goes: 2019 stands for all of that year."""
    value, moment = value.replace(" ", "T").upper(), fact("r", "taken")
    if set("*?") & set(value):
        start = re.split("[^0-9:-]", value)[0]  # its T may be small in a fact
        if operator == "!=" or not start:
            return f'{moment} >= ""', False
        return f"{moment} >= {quoted(start)} and {moment} < {quoted(_after(start))}", False
    low, high = quoted(value), quoted(_after(value))
    return {
        "=": f"{moment} >= {low} and {moment} < {high}",
        "!=": f"{moment} < {low} or {moment} >= {high}",
        "<": f"{moment} < {low}",
        "<=": f"{moment} < {high}",
        ">": f"{moment} >= {high}",
        ">=": f"{moment} >= {low}",
    }[operator], True


def _ranges(condition: Filter) -> str:
    """Return what the store's SQL says of a folder, which is made of ranges of uris."""
    sql, values = to_sql(condition)
    for word, spelled in (("=", "=="), ("OR", "or"), ("AND", "and"), ("NOT", "not")):
        sql = re.sub(rf"(?<!\S){word}(?!\S)", spelled, sql)
    ends = iter(values)
    return re.sub(r"\?", lambda _: quoted(str(next(ends))), sql)


def _folder_of_text(operator: str, value: str) -> tuple[str, bool]:
    """Return what holds for all texts in a folder, or outside it, and for those at several places."""
    parts = [below(spelling) for spelling in spellings(value)]
    if operator == "!=":
        return f"not ({' or '.join(parts)}) or {_SEVERAL}", False
    for spelling in spellings(value):
        _, bounds = in_file(spelling)
        if bounds:
            whole, low, high = map(quoted, map(str, bounds[:3]))
            parts.append(f"uri == {whole} or (uri > {low} and uri < {high})")
    return f"{' or '.join(parts)} or {_SEVERAL}", False


def _number(name: str, operator: str, number: float) -> tuple[str, bool]:
    """Compare numbers; a fact that is text comes after all of them, as in SQLite."""
    known = fact("n", name)
    any_number, any_text, nothing = f"{known} >= {_LOWEST}", f'{known} == ""', f'{known} < ""'
    with_text = f" or {any_text}" if operator in ("!=", ">", ">=") else ""
    if _MOST_EXACT <= abs(number) < inf:
        return f"{any_number} or {any_text}", False
    if abs(number) == inf:
        is_met = operator == "!=" or operator in (("<", "<=") if number > 0 else (">", ">="))
        found = any_number if is_met else nothing
    elif operator == "!=":
        found = f"{known} < {_written(number)} or {known} > {_written(number)}"
    else:
        found = f"{known} {_sign(operator)} {_written(number)}"
    return found + with_text, True


def _written(number: float) -> str:
    """Return a number below 2**53 as Milvus reads it."""
    return f"{number:.0f}" if number.is_integer() else repr(number)


def _finite(value: str) -> float | None:
    """Return the number that a value reads as."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(operator: str, value: str) -> str:
    """Return what whole numbers are compared with instead of any number."""
    number = max(-(2.0**62), min(2.0**62, float(value)))
    if number.is_integer():
        return str(int(number))
    if operator in ("=", "!="):
        return "-1"  # which no id is
    return str(int(number // 1) + (operator in ("<", ">=")))
