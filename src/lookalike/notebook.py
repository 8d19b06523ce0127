"""For notebooks: look around in a collection by clicking, and show what was found.

>>> import lookalike.notebook
>>> lookalike.notebook.browse(photos)                  # a widget
>>> lookalike.notebook.show(photos, photos.search("a.jpg"), "a.jpg")
>>> photos.search(lookalike.notebook.fetch_photo("https://example.org/a.jpg"))
"""

from lookalike.faces.notebook.pictures import fetch_photo, show
from lookalike.faces.notebook.widget import browse

__all__ = ["browse", "fetch_photo", "show"]
