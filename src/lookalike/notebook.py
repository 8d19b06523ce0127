"""Browse a collection in a notebook.

>>> import lookalike.notebook
>>> lookalike.notebook.browse(collection)
"""

from lookalike.faces.notebook.widget import browse

__all__ = ["browse"]
