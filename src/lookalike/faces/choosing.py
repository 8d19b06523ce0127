"""The commands about models: which there are, bringing one in, making it the default, dropping it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lookalike.faces import shared
from lookalike.faces.arguments import PathArgument
from lookalike.faces.shared import collection_option, device_option, json_option


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models: bundled ones, and recommended ones to bring, with their licences.

    A second model is added to a collection beside the first (models add), then made the default (models use).
    """
    if context.invoked_subcommand is not None:
        return
    from lookalike.faces.show import print_models

    print_models(as_json=as_json)


@models.command("add")
@click.argument("model")
@device_option
@collection_option
def add_model(model: str, device: str, folder: Path | None) -> None:
    """Embed all items of the collection by MODEL, too, while the model it has goes on serving.

    MODEL is a bundled name, a Hugging Face repository (owner/name or owner/name@revision), or a folder.
    """
    from lookalike.faces.progress import StepProgress
    from lookalike.faces.text import counted, printable

    with shared.open_collection(folder, device=device) as collection, StepProgress() as progress:
        space, left = collection.add_model(model, on_step=progress.step)
    name = printable(space.name)
    click.echo(
        f"{name} is in; search with --space {name}, or make it the default: lookalike models use {name}"
    )
    if left:
        click.echo(
            f"{counted(left, 'item')} could not be read again, their files being gone or changed", err=True
        )


@models.command("use")
@click.argument("name")
@collection_option
def use_model(name: str, folder: Path | None) -> None:
    """Make the model NAME of the collection the one that searches and adds."""
    with shared.open_collection(folder) as collection:
        collection.use_model(name)
    click.echo(f"{name} is the default now")


@models.command("convert")
@click.argument("model", metavar="keras:NAME|keras:FILE")
@click.option("--to", "target", required=True, type=PathArgument(), help="The folder to make.")
@click.option("--layer", help="The layer whose output is the vector.  [default: before the classifier]")
@click.option("--weights", help="A file of weights, imagenet or none.  [default: imagenet]")
@click.option("--preprocess", help="For a FILE: the network whose preprocessing it was trained with.")
def convert_model(model: str, target: Path, **given: Any) -> None:
    """Make a model's folder of a Keras network: keras:VGG16, or an .h5 or .keras file.

    Needs the extra "keras", which brings TensorFlow for the conversion only.
    """
    from lookalike.faces.text import printable
    from lookalike.models.keras_convert import KerasOptions, convert

    chosen = {name: value for name, value in given.items() if value is not None}
    record = convert(model, target, KerasOptions(**chosen), lambda step: click.echo(step, err=True))
    click.echo(f"made {printable(str(target))}: {record.dim:,} numbers a photo; use it with --model")


@models.command("drop")
@click.argument("name")
@collection_option
def drop_model(name: str, folder: Path | None) -> None:
    """Forget the vectors of the model NAME in the collection; the items stay."""
    with shared.open_collection(folder) as collection:
        collection.drop_model(name)
    click.echo(f"{name} is dropped")
