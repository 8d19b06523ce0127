"""Photos to try lookalike with: from COCO where it can be reached, else those that PyPI packages carry.

Nothing here runs unless it is asked for; it is the one place that fetches photos nobody has named.
"""

from lookalike.datasets.catalogue import DATASETS, Dataset, find_dataset
from lookalike.datasets.coco import VAL2014_URL, fetch_val2014, get_coco_val2014
from lookalike.datasets.demo import DemoPhotos, demo_photos
from lookalike.datasets.pypi_photos import fetch_pypi_photos

__all__ = [
    "DATASETS",
    "VAL2014_URL",
    "Dataset",
    "DemoPhotos",
    "demo_photos",
    "fetch_pypi_photos",
    "fetch_val2014",
    "find_dataset",
    "get_coco_val2014",
]
