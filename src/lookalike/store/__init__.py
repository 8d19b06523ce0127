"""The truth on disk: one SQLite file with items, vectors and skipped inputs."""

from lookalike.store.photo_commit import PhotoBatch
from lookalike.store.store import Store

__all__ = ["PhotoBatch", "Store"]
