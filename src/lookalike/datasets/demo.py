"""The photos of the demo: COCO where it can be reached, else those in PyPI packages, and it is said which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lookalike.datasets import coco, pypi_photos
from lookalike.errors import FetchError, LookalikeError, MissingExtraError


@dataclass(frozen=True, slots=True)
class DemoPhotos:
    """A folder of photos to try lookalike with."""

    path: Path
    source: str
    """Where the photos come from, in words for the user."""
    count: int


def demo_photos(
    folder: Path,
    *,
    count: int = 1000,
    on_progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None],
) -> DemoPhotos:
    """Return photos below `folder`, fetched unless a complete set is there; `say` hears which set and why.

    Each set has a folder of its own below `folder`, so two sets never mix. A set of COCO photos that was
    begun is gone on with before the PyPI photos are used. Raises FetchError when no set can be had.
    """
    coco_folder, pypi_folder = folder / "coco", folder / "pypi"
    there = coco.photos_there(coco_folder)
    if there >= max(count, 1):
        say(f"Using the {there:,} photos of {coco.SOURCE} already in {coco_folder}.")
        return DemoPhotos(coco_folder, coco.SOURCE, there)
    if not there and pypi_photos.is_complete(pypi_folder):
        say(
            f"Using the {pypi_photos.PHOTO_COUNT} photos from {pypi_photos.SOURCE} already in {pypi_folder}; "
            f"remove that folder to try {coco.SOURCE} again."
        )
        return DemoPhotos(pypi_folder, pypi_photos.SOURCE, pypi_photos.PHOTO_COUNT)
    try:
        fetched = coco.fetch_val2014(coco_folder, count, on_progress=on_progress)
    except (FetchError, MissingExtraError) as error:
        return _instead_of_coco(pypi_folder, error, on_progress, say)
    say(f"Using {fetched:,} photos of {coco.SOURCE}, in {coco_folder}.")
    return DemoPhotos(coco_folder, coco.SOURCE, fetched)


def _instead_of_coco(
    folder: Path,
    why: LookalikeError,
    on_progress: Callable[[int, int], None] | None,
    say: Callable[[str], None],
) -> DemoPhotos:
    # Said before fetching, since it explains the wait that follows.
    say(f"Using {pypi_photos.PHOTO_COUNT} photos from {pypi_photos.SOURCE} instead of {coco.SOURCE}: {why}.")
    try:
        fetched = pypi_photos.fetch_pypi_photos(folder, on_progress=on_progress)
    except FetchError as error:
        raise FetchError(
            f"no demo photos: {coco.SOURCE}: {why}; {pypi_photos.SOURCE}: {error}; "
            "give a folder of your own with --photos DIR"
        ) from error
    return DemoPhotos(folder, pypi_photos.SOURCE, fetched)
