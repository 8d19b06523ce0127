"""`lookalike demo`: the whole job on real photos, with nothing prepared."""

from __future__ import annotations

from pathlib import Path

import click

from lookalike.collection import Collection
from lookalike.datasets.demo import demo_photos
from lookalike.errors import NotFoundError
from lookalike.faces.cli.printing import print_hits, write_hits_sheet
from lookalike.faces.text import printable, tally
from lookalike.progress import StepProgress
from lookalike.search.copies import NEAR_COPY
from lookalike.sources.uris import path_of, uri_of
from lookalike.store.filters import Filter


def run_demo(folder: Path, photos: Path | None, count: int) -> None:
    """Get photos (or use those in `photos`), add them to a collection in `folder`, search by one of them."""
    if photos is None:
        with StepProgress() as progress:
            photos = demo_photos(
                folder / "photos",
                count=count,
                on_progress=lambda done, total: progress.step("fetching", done, total),
                say=lambda line: click.echo(printable(line)),
            ).path
    else:
        click.echo(f"Using your photos in {printable(str(photos))}.")
    with Collection(folder / "demo.lookalike") as collection:
        with StepProgress() as progress:
            report = collection.add(photos, kind="photo", on_step=progress.step)
        click.echo(tally(report))
        query = _worth_showing(collection, photos)
        click.echo(f"\nmost like {printable(str(query))}:")
        results = collection.search_many([query], k=9)
        print_hits(results)
        write_hits_sheet(collection, folder / "hits.png", [(query, results[0])])
    click.echo(f"\nsearch on with: lookalike search -c {folder / 'demo.lookalike'} PHOTO")


def _worth_showing(collection: Collection, photos: Path) -> Path:
    """Return the photo below `photos` whose next three are closest to it, copies aside."""
    below = collection.items(where=[Filter("folder", "=", uri_of(photos))], limit=500)
    if not below:
        raise NotFoundError(f"no photo could be read in {photos}")
    results = collection.search_many([item.id for item in below], k=3)
    closeness = [sum(hit.score for hit in result if hit.score < NEAR_COPY) for result in results]
    return Path(path_of(below[closeness.index(max(closeness))].uri))
