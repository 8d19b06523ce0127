"""The truth on disk: one SQLite file with items, vectors, skipped inputs and what the index must catch up on."""

from lookalike.store.commit import Batch
from lookalike.store.store import Store

__all__ = ["Batch", "Store"]
