"""The truth on disk: one SQLite file with items, vectors and skipped inputs."""

from lookalike.store.commit import Batch
from lookalike.store.store import Store

__all__ = ["Batch", "Store"]
