"""How the words of a command line become paths and items."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from lookalike.engine.milvus.address import is_milvus
from lookalike.errors import NotAFileError
from lookalike.files import open_text
from lookalike.sources.remote.addresses import is_address, normal

_MOST_ID_DIGITS = 18  # ids are 64-bit
_ID = "id:"


def is_file(written: str) -> bool:
    """Return whether what is written names a file; a text of many letters does not."""
    return os.path.isfile(written)  # noqa: PTH113  # which, unlike Path, fails for no text


class PathArgument(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """A path as it is written: the shell has expanded ~, and an empty word is an unset variable."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; fails for the empty word, which would mean the current folder."""
        if value == "":
            self.fail("an empty path (an unset variable?)", param, ctx)
        return Path(value)


class CollectionArgument(PathArgument):
    """A collection: a folder's path, or an address of Milvus as it is written."""

    name = "collection"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path, or the text of an address."""
        return value if is_milvus(value) else super().convert(value, param, ctx)


class SourceArgument(PathArgument):
    """A path as above, or the address of a remote place, which is text."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path, or an address in its one spelling; fails where it holds credentials."""
        if isinstance(value, str) and is_address(value):
            return normal(value)
        return super().convert(value, param, ctx)


class ListArgument(click.ParamType):  # type: ignore[type-arg]  # as above
    """A file of paths, opened; `-` is standard input."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return an open text; fails where no file can be opened."""
        if value == "-":
            return click.open_file(value, encoding="utf-8-sig", errors="surrogateescape")
        try:
            file = open_text(value, "utf-8-sig", "surrogateescape")  # names are bytes
        except NotAFileError as error:
            self.fail(f"{error}; for standard input say --list -", param, ctx)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self.fail(f"{value} cannot be read: {reason}", param, ctx)
        if ctx is not None:
            ctx.call_on_close(file.close)
        return file


class QueryArgument(PathArgument):
    """An item's id, `id:12`, or just `12` where no file has that name; or what is written.

    Whether that is a photo's path or a text, the collection tells.
    """

    name = "query"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return an id or what is written; fails where that could mean both, and for the empty word."""
        if isinstance(value, Path | int):
            return value
        number = value.removeprefix(_ID)
        is_id = number.isascii() and number.isdigit() and len(number) <= _MOST_ID_DIGITS
        if value.startswith(_ID) and is_id:
            return int(number)
        if is_id and os.path.lexists(value):
            self.fail(
                f"{value} is a file here and could be an item: write ./{value} or id:{value}", param, ctx
            )
        super().convert(value, param, ctx)
        return int(number) if is_id else value


class TargetArgument(QueryArgument):
    """An item's id as above, a path or an address."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return an id, a path or an address."""
        found = super().convert(value, param, ctx)
        if isinstance(found, str):
            return normal(found) if is_address(found) else Path(found)
        return found
