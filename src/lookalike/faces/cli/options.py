"""What the commands share: options, the collection they open, and how they print JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lookalike.errors import UsageError
from lookalike.faces.cli.arguments import PathArgument
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
        type=PathArgument(),
        callback=note_collection,
        help="The collection's folder.  [env: LOOKALIKE_COLLECTION; default: in your data folder]",
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
    folder: Path | None,
    *,
    model: str | None = None,
    decoder: DecodePool | None = None,
    device: str = "auto",
) -> Collection:
    """Return the collection in a folder, by default the one in the user's data folder."""
    from lookalike.collection import Collection

    return Collection(folder or _default_folder(), model=model, decoder=decoder, device=device)


def check_sheet(collection: Collection, sheet: Path | None, instead: str = "") -> None:
    """Raise `UsageError` where a sheet is wanted of texts, before long work is done for it."""
    if sheet is not None and collection.kind == "text":
        raise UsageError(f"a sheet shows photos, and this collection holds texts{instead}")


def emit(value: Any) -> None:
    """Print a JSON value on a line of its own, at once."""
    as_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not as_utf8) + "\n")
    sys.stdout.flush()


def fail(what: object, code: int) -> int:
    """Say in one line what went wrong; returns the exit code."""
    from lookalike.faces.text import printable

    click.echo(f"lookalike: {printable(str(what))}", err=True)
    return code


def _default_folder() -> Path:
    instead = "the collection is kept by default: name one with --collection"
    return user_data_folder(instead) / "photos.lookalike"
