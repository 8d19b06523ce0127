"""What conditions are looked up by: the facts of an item, in the forms in which conditions compare them.

They say the same as the SQL of `store.filters` reads from the metadata. A fact NAME is kept as

- `t-NAME`: its text in small letters of ASCII, as SQLite's own `lower` gives it,
- `u-NAME`: its text composed and in small letters of all scripts; "" where `t-NAME` is ASCII, and the same,
- `r-NAME`: its text as it is; "" where `t-NAME` is the same,
- `n-NAME`: the number that it is or reads as; "" where it is none.

An item without the fact has none of these.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from lookalike.records import Kind

LONGEST_FACT = 400
"""Letters of a fact that conditions are looked up by; a longer fact is cut to so many."""

NUMBERS = ("width", "height", "lat", "lon", "iso", "exposure", "rating")
WORDS = ("camera", "lens", "format", "title")
OWN_URI = ".uri"
"""Under this name is the item's own uri; no column is kept under it."""

_MOST_BYTES = 60_000  # Milvus takes 65,536
_PLAIN_NAME = re.compile("[A-Za-z0-9_]{1,64}")
_NUMERAL = re.compile(r"[-+]?[0-9]*\.?[0-9]+")  # what `store.filters` takes for one in a text
_EXACT_DIGITS = 15  # up to which everyone reads the same number
_LARGEST = 1.7976931348623157e308


def fact(form: str, name: str) -> str:
    """Return a form of a fact as expressions name it."""
    return f'facts["{key_of(form, name)}"]'


def key_of(form: str, name: str) -> str:
    """Return the key of a form (t, u, r or n) of a fact; a name that expressions could not hold is hashed."""
    if name != OWN_URI and not _PLAIN_NAME.fullmatch(name):
        name = f".{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
    return f"{form}-{name}"


def lowered(text: str) -> str:
    """Return text composed (NFC) and in small letters; see `store.filters.unicode_lower`."""
    return unicodedata.normalize("NFC", text).lower()


def facts_of(metadata: str, uri: str, kind: Kind, terms: Sequence[str] = ()) -> dict[str, Any]:
    """Return the facts of an item; `terms` are the different words of a text.

    Milvus takes so many bytes of them only: where keywords or columns do not fit, they are left out, and
    `cut` is true.
    """
    always, more = (_of_photo if kind == "photo" else _of_text)(json.loads(metadata))
    always |= _as_words(OWN_URI, uri)
    if kind == "text":
        always["terms"] = list(terms)
    found = {**always, **more}
    if more and len(json.dumps(found, ensure_ascii=False).encode()) > _MOST_BYTES:
        return {**always, "cut": True}
    return found


def _of_photo(metadata: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the facts that always fit, and the keywords."""
    found: dict[str, Any] = {}
    known = {name: int(value) if isinstance(value, bool) else value for name, value in metadata.items()}
    for name in NUMBERS:
        if known.get(name) is not None:
            found[key_of("n", name)] = "" if isinstance(known[name], str) else known[name]
    for name in WORDS:
        if known.get(name) is not None:
            found |= _as_words(name, _text(known[name]))
    if known.get("taken") is not None:
        found[key_of("r", "taken")] = _text(known["taken"])[:LONGEST_FACT]
    if known.get("keywords") is None:
        return found, {}
    told = _text(known["keywords"])
    small = _small(told)
    more = {"keyworded": 1, key_of("t", "keywords"): _parts(small)}
    more[key_of("u", "keywords")] = [] if small.isascii() else _parts(lowered(told))
    return found, more


def _of_text(metadata: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return nothing, which always fits, and the columns."""
    found: dict[str, Any] = {}
    for name, value in metadata.items():
        if value is None:
            continue
        text = _text(value)
        found |= _as_words(name, text)
        is_small = _small(text) == text
        found[key_of("r", name)] = "" if is_small else text[:LONGEST_FACT]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        found[key_of("n", name)] = value if is_number else _read_number(text)
    return {}, found


def _as_words(name: str, text: str) -> dict[str, str]:
    small = _small(text)
    composed = "" if small.isascii() else lowered(text)
    return {key_of("t", name): small[:LONGEST_FACT], key_of("u", name): composed[:LONGEST_FACT]}


def _small(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _parts(keywords: str) -> list[str]:
    return keywords.split("; ")


def _text(value: Any) -> str:
    """Return a fact as SQLite makes text of it; booleans are written as in JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(_in_sqlite("SELECT CAST(? AS TEXT)", value))
    return str(value).partition("\0")[0]  # at which SQLite's texts end


def _read_number(text: str) -> float | str:
    """Return the number that a text reads as, or ""."""
    if not _NUMERAL.fullmatch(text):
        return ""
    number = float(text) if len(text) <= _EXACT_DIGITS else _in_sqlite("SELECT CAST(? AS REAL)", text)
    return number if math.isfinite(number) else math.copysign(_LARGEST, number)


@lru_cache(4096)
def _in_sqlite(sql: str, value: float | str) -> Any:
    connection = sqlite3.connect(":memory:")
    try:
        return connection.execute(sql, (value,)).fetchone()[0]
    finally:
        connection.close()
