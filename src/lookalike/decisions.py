"""What people decided about copies: values only, kept by an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from lookalike.errors import UsageError

Verdict = Literal["different", "keep both", "first is best", "second is best"]
"""What holds of two photos: they are not the same; they are, and both stay; or one of them is the best."""

_TURNED: dict[Verdict, Verdict] = {"first is best": "second is best", "second is best": "first is best"}
_SHA256_BYTES = 32


@dataclass(frozen=True, slots=True)
class Decision:
    """What someone decided about two contents, the smaller sha256 first: it holds wherever they lie.

    `verdict` None withdraws what was decided. `at` is the moment in UTC, ISO 8601.
    """

    first: bytes
    second: bytes
    verdict: Verdict | None
    at: str


def in_order(decision: Decision) -> Decision:
    """Return a decision with the smaller sha256 first, its verdict turned with them.

    Raises `UsageError` unless it is on two contents, with a verdict and a moment in UTC.
    """
    contents = decision.first, decision.second
    if not all(isinstance(each, bytes) and len(each) == _SHA256_BYTES for each in contents):
        raise UsageError(f"a decision is on two sha256 of {_SHA256_BYTES} bytes; got {contents!r}")
    if decision.first == decision.second:
        raise UsageError(f"a decision is on two contents; got {decision.first.hex()} twice")
    if decision.verdict is not None and decision.verdict not in get_args(Verdict):
        known = ", ".join(f'"{each}"' for each in get_args(Verdict))
        raise UsageError(f"a verdict is one of {known}, or None; got {decision.verdict!r}")
    if not _is_in_utc(decision.at):
        raise UsageError(f"a decision's moment is in UTC and ISO 8601; got {decision.at!r}")
    if decision.first < decision.second:
        return decision
    verdict = decision.verdict and _TURNED.get(decision.verdict, decision.verdict)
    return replace(decision, first=decision.second, second=decision.first, verdict=verdict)


def _is_in_utc(moment: object) -> bool:
    try:
        return isinstance(moment, str) and datetime.fromisoformat(moment).utcoffset() == timedelta(0)
    except ValueError:
        return False


Different = Mapping[bytes, Set[bytes]]
"""By content, the contents that someone said are not the same."""


def different_among(decisions: Iterable[Decision]) -> Different:
    """Return what was decided to be different."""
    found: dict[bytes, set[bytes]] = {}
    for each in decisions:
        if each.verdict == "different":
            found.setdefault(each.first, set()).add(each.second)
    return found
