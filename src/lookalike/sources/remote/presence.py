"""Whether remote objects are there, asked of their stores without reading them."""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.errors import LookalikeError
from lookalike.sources.remote.fetching import look_at_all
from lookalike.sources.remote.listed import Listed
from lookalike.sources.remote.patience import IMPATIENT


def is_absent(uri: str) -> bool:
    """Whether a store says that nothing lies there; False where it cannot be asked, or does not tell."""
    return absent_of([uri])[uri]


def absent_of(uris: Sequence[str]) -> dict[str, bool]:
    """Tell of each of several objects whether it is absent, as `is_absent` does."""
    try:
        answers = list(look_at_all(uris, patience=IMPATIENT))
    except LookalikeError:  # what reads them is not installed
        return dict.fromkeys(uris, False)
    return {
        uri: not isinstance(answer, Listed) and answer.trouble.is_gone
        for uri, answer in zip(uris, answers, strict=True)
    }
