"""What people decided about copies: values only, kept by an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["different", "keep both", "first is best", "second is best"]
"""What holds of two photos: they are not the same; they are, and both stay; or one of them is the best."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What someone decided about two contents, the smaller sha256 first: it holds wherever they lie.

    `verdict` None withdraws what was decided. `at` is the moment in UTC, ISO 8601.
    """

    first: bytes
    second: bytes
    verdict: Verdict | None
    at: str
