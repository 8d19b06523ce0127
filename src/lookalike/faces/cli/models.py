"""The commands about models: which there are, bringing one in, making it the default, dropping it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.arguments import PathArgument
from lookalike.faces.cli.hints import here
from lookalike.faces.cli.options import collection_option, device_option, emit, json_option, pooling_option


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models: bundled ones, and recommended ones to bring, with their licences.

    Of photos there are three to choose from, fast, better and best; all are in the box.

    A second model is added to a collection beside the first (models add), then made the default (models use).
    """
    if context.invoked_subcommand is not None:
        return
    rows = _known()
    if as_json:
        for row in rows:
            emit(row)
        return
    names = [row["choice"] or row["model"] for row in rows]
    name, licence = max(map(len, names)), max(len(row["licence"]) for row in rows)
    click.echo(f"{'model':<{name}}  for     {'licence':<{licence}}     MB            what it is")
    for called, row in zip(names, rows, strict=True):
        size = f"{row['megabytes']:>5,} {'here' if row['here'] else 'to fetch':<8}"
        click.echo(f"{called:<{name}}  {row['for']:<6}  {row['licence']:<{licence}}  {size}  {row['about']}")
    for called, row in zip(names, rows, strict=True):
        if row["choice"]:
            click.echo(f"{called} stands for {row['model']} now; a collection keeps the one it has", err=True)
    click.echo(
        "any other: a Hugging Face repository with an ONNX file (owner/name), or a folder like one", err=True
    )


@models.command("add")
@click.argument("model")
@pooling_option
@device_option
@collection_option
def add_model(model: str, pooling: str | None, device: str, folder: Path | None) -> None:
    """Embed all items of the collection by MODEL, too, while the model it has goes on serving.

    MODEL is a bundled name, a Hugging Face repository (owner/name or owner/name@revision), or a folder.
    """
    from lookalike.faces.text import counted, printable
    from lookalike.models.find import with_pooling
    from lookalike.progress import StepProgress

    model = with_pooling(model, pooling) or model
    with cli_options.open_collection(folder, device=device) as collection, StepProgress() as progress:
        space, left = collection.add_model(model, on_step=progress.step)
    name = printable(space.name)
    use = here(f"lookalike models use {name}")
    click.echo(f"{name} is in; search with --space {name}, or make it the default: {use}")
    if left:
        click.echo(
            f"{counted(left, 'item')} could not be read again, their files being gone or changed", err=True
        )


@models.command("trust")
@click.argument("model")
def trust_model(model: str) -> None:
    """Agree to run MODEL where a collection that others made was made with it.

    MODEL is a Hugging Face repository or a folder. What you named by --model or models add needs no more.
    """
    from lookalike.faces.text import printable
    from lookalike.models import bundled_names
    from lookalike.models.find import find_model
    from lookalike.models.trust import trust
    from lookalike.progress import StepProgress

    with StepProgress() as progress:
        record = find_model(
            model, on_progress=lambda done, total: progress.step("fetching the model", done, total)
        )
    if record.reference not in bundled_names():
        trust(record.reference, record.model_id)
    click.echo(
        f"{printable(record.reference)} (sha256 {record.model_id[:12]}…) is run where collections ask for it"
    )


@models.command("use")
@click.argument("name")
@collection_option
def use_model(name: str, folder: Path | None) -> None:
    """Make the model NAME of the collection the one that searches and adds."""
    with cli_options.open_collection(folder) as collection:
        collection.use_model(name)
    click.echo(f"{name} is the default now")


@models.command("convert")
@click.argument("network", metavar="keras:NAME|keras:FILE")
@click.option("--to", "target", required=True, type=PathArgument(), help="The new folder.")
@click.option("--layer", help="The layer whose output is the vector.  [default: before the classifier]")
@click.option("--weights", help="ImageNet's, or a file of weights.  [default: imagenet]")
@click.option("--preprocess", help="Prepare photos as for this network.  [default: the network's own]")
@click.option("--no-top", "top", flag_value=False, default=True, help="Build it without its classifier.")
@click.option("--size", type=int, help="Width and height of photos, where the network leaves it open.")
@click.option("--pooling", type=click.Choice(["avg", "max", "flatten"]), default="avg", show_default=True)
@click.option("--resample", default="nearest", show_default=True, help="How photos are squashed.")
@click.option("--name", help="The model's name.  [default: such as vgg16-fc2]")
@click.option("--python", type=click.Path(path_type=Path), help="The Python that has the extra.")
def convert_network(network: str, target: Path, **options: Any) -> None:
    """Make a model's folder of a network of Keras: keras:VGG16, or an .h5 or .keras file.

    Needs the extra "keras", which brings TensorFlow for the conversion only.
    """
    from lookalike.faces.text import printable
    from lookalike.models.keras.convert import KerasOptions, convert

    record = convert(network, target, KerasOptions(**options), lambda step: click.echo(step, err=True))
    click.echo(f"{record.name}: {record.dim:,} numbers a photo; use it with --model {printable(str(target))}")


@models.command("drop")
@click.argument("name")
@collection_option
def drop_model(name: str, folder: Path | None) -> None:
    """Forget the vectors of the model NAME in the collection; the items stay."""
    with cli_options.open_collection(folder) as collection:
        collection.drop_model(name)
    click.echo(f"{name} is dropped")


def _known() -> list[dict[str, Any]]:
    """The models in the box, those that are worth bringing, and what else was fetched."""
    from lookalike.faces.contract import bundled_json, recommended_json
    from lookalike.models import CHOICES, bundled_names, load_bundled
    from lookalike.models.hub import fetched
    from lookalike.models.recommended import RECOMMENDED

    here = {repository for repository, _, _ in fetched()}
    names = dict.fromkeys((*CHOICES.values(), *bundled_names()))
    rows = [bundled_json(load_bundled(name)) for name in names]
    return rows + [recommended_json(each, here) for each in RECOMMENDED]
