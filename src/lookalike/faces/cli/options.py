"""What the commands share: options, the collection they open, and how they print JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.errors import UsageError
from lookalike.faces.cli.arguments import CollectionArgument
from lookalike.faces.cli.hints import OPTION, note_collection
from lookalike.user_folders import user_data_folder

if TYPE_CHECKING:
    from lookalike.collection import Collection
    from lookalike.decode.pool import DecodePool

# Modules that bring numpy, Faiss or ONNX Runtime are imported in the commands that need them:
# `lookalike --help` answers at once, and `search` starts its decode worker before the slow imports.

Command = Callable[..., Any]


def collection_option(command: Command) -> Command:
    """Add `--collection`, which nearly every command takes."""
    return click.option(
        "--collection",
        "-c",
        OPTION,
        envvar="LOOKALIKE_COLLECTION",
        type=CollectionArgument(),
        callback=note_collection,
        metavar="PLACE",
        help="The collection: a folder, or milvus://HOST:PORT/NAME.  "
        "[env: LOOKALIKE_COLLECTION; default: in your data folder]",
    )(command)


def device_option(command: Command) -> Command:
    """Add `--device`, for commands that run a model."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        envvar="LOOKALIKE_DEVICE",
        help="Where models run.  [env: LOOKALIKE_DEVICE]",
    )(command)


def pooling_option(command: Command) -> Command:
    """Add `--pooling`, for commands that bring in a model."""
    return click.option(
        "--pooling",
        type=click.Choice(["mean", "cls", "last"]),
        help="How the model's tokens become one vector.  [default: as its files say]",
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")


def open_collection(
    folder: Path | str | None,
    *,
    model: str | None = None,
    decoder: DecodePool | None = None,
    device: str = "auto",
) -> Collection:
    """Return the collection in a folder or in Milvus, by default the one in the user's data folder."""
    from lookalike.collection import Collection

    return Collection(folder or _default_folder(), model=model, decoder=decoder, device=device)


def check_sheet(collection: Collection, sheet: Path | None, instead: str = "") -> None:
    """Raise `UsageError` where a sheet is wanted of texts, or in the place of an item's file.

    To be called before long work is done for the sheet.
    """
    if sheet is None:
        return
    if collection.kind == "text":
        raise UsageError(f"a sheet shows photos, and this collection holds texts{instead}")
    check_not_an_item(collection, "--sheet", sheet)


def check_not_an_item(collection: Collection, option: str, path: Path) -> None:
    """Raise `UsageError` where what is to be written would lie in the place of an item's file."""
    if path.exists() and _is_file_of_an_item(collection, path):
        raise UsageError(f"{option} {path} would overwrite a photo of the collection")


def _is_file_of_an_item(collection: Collection, path: Path) -> bool:
    """Whether a file is that of an item, whatever way leads to it."""
    from lookalike.sources.identity import Identities
    from lookalike.sources.uris import path_of, uri_of
    from lookalike.store.filters import Filter

    identities, items = Identities(), collection.engine.items
    real = identities.real(str(path))
    if items.by_uri(uri_of(path)) or items.by_uri(uri_of(real)):
        return True
    name = Path(real).name
    if uri_of(name).startswith("file:"):  # no text, so that it cannot be looked for
        return False
    alike = items.get(items.matching([Filter("uri", "=", f"*{name}")]).tolist())
    places = [path_of(item.uri) for item in alike.values()]
    return any(identities.of(place) == identities.of(real) or _is_same(place, real) for place in places)


def _is_same(path: str, other: str) -> bool:
    """Whether names that differ in upper and lower case are one file, on a disk that ignores it."""
    try:
        return path.casefold() == other.casefold() and os.path.samefile(path, other)  # noqa: PTH121
    except OSError:
        return False


def emit(value: Any) -> None:
    """Print a JSON value on a line of its own, at once."""
    as_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not as_utf8) + "\n")
    sys.stdout.flush()


def fail(what: object, code: int) -> int:
    """Say in one line what went wrong; returns the exit code."""
    from lookalike.faces.text import printable, with_install_lines

    click.echo(f"lookalike: {printable(with_install_lines(str(what)))}", err=True)
    return code


def _default_folder() -> Path:
    instead = "the collection is kept by default: name one with --collection"
    return user_data_folder(instead) / "photos.lookalike"
