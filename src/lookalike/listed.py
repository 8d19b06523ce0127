"""Items as a list that becomes a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lookalike.errors import MissingExtraError
from lookalike.records import Item

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_OWN = ("id", "uri", "content", "text", "places")


class Items(list[Item]):
    """Items in a list, and as a table with a row for each.

    The columns are `id`, `uri`, `content` (its sha256 in hexadecimal), of texts `text` and `places`, then one
    for each fact that any of them has; where an item lacks it, nothing. A fact that is called like one of the
    first is found as `metadata.id` and so on.
    """

    def to_arrow(self) -> pa.Table:
        """Return a table of Arrow; raises `MissingExtraError` without the extra "parquet"."""
        try:
            import pyarrow as pa
        except ImportError as error:
            raise MissingExtraError("a table of Arrow", "parquet") from error
        return pa.table({name: pa.array(values) for name, values in self._columns().items()})

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame of pandas; raises `MissingExtraError` without the extra "pandas"."""
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("a data frame", "pandas") from error
        return pd.DataFrame(self._columns())

    def _columns(self) -> dict[str, list[Any]]:
        facts = dict.fromkeys(name for item in self for name in item.metadata)
        columns: dict[str, list[Any]] = {
            "id": [item.id for item in self],
            "uri": [item.uri for item in self],
            "content": [item.content_hash.hex() for item in self],
        }
        if any(item.text is not None for item in self):
            columns |= {"text": [item.text for item in self], "places": [item.places for item in self]}
        for name in facts:
            called = f"metadata.{name}" if name in _OWN else name
            columns[called] = _of_one_type([item.metadata.get(name) for item in self])
        return columns


def _of_one_type(values: list[Any]) -> list[Any]:
    """Return numbers as they are and all else as text: a column of a table has one type."""
    if any(isinstance(value, str) for value in values):
        return [None if value is None else str(value) for value in values]
    if any(isinstance(value, float) for value in values):
        return [None if value is None else float(value) for value in values]
    return values
