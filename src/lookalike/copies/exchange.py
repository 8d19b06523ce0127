"""Decisions about copies as a file: a JSON object for each, one a line, the contents by their sha256.

::

    {"first": "0a1b…", "second": "9f3c…", "verdict": "first is best", "at": "2027-01-05T09:30:00+00:00"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path

from lookalike.decisions import Decision, in_order
from lookalike.durable import written_whole
from lookalike.errors import NotFoundError, StorageError, UsageError
from lookalike.files import open_text

_LONGEST_LINE = 10_000


def write_decisions(path: Path, decisions: Iterable[Decision]) -> int:
    """Write decisions into a file, whole or not at all, in the place of what is there; returns how many.

    Raises `StorageError` where the disk does not let it.
    """
    count = 0
    try:
        with written_whole(path) as new, new.open("w", encoding="utf-8", newline="\n") as file:
            for decision in decisions:
                file.write(json.dumps(_facts(in_order(decision))) + "\n")
                count += 1
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return count


def read_decisions(path: Path) -> list[Decision]:
    """Return the decisions that a file holds; a verdict of null withdraws what was decided.

    Raises `NotFoundError` where there is none or it cannot be read, and `UsageError`, which names the line,
    for what is no decision: then nothing of the file is to be kept.
    """
    try:
        with open_text(path, "utf-8-sig") as file:
            return [_decision(path, number, line) for number, line in _lines(path, file) if line.strip()]
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} holds no decisions: it is not UTF-8 text") from error
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error


def _lines(path: Path, file: TextIOWrapper) -> Iterator[tuple[int, str]]:
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        if len(line) > _LONGEST_LINE:
            raise UsageError(f"{path}, line {number}: more than {_LONGEST_LINE:,} characters are no decision")
        yield number, line


def _decision(path: Path, number: int, line: str) -> Decision:
    try:
        facts = json.loads(line)
        contents = bytes.fromhex(facts["first"]), bytes.fromhex(facts["second"])
        return in_order(Decision(*contents, facts["verdict"], facts["at"]))
    except UsageError as error:
        raise UsageError(f"{path}, line {number}: {error}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(
            f"{path}, line {number} is no decision: expected an object with first, second (sha256 in hex), "
            f"verdict and at, got {line.strip()[:80]}"
        ) from error


def _facts(decision: Decision) -> dict[str, str | None]:
    return {
        "first": decision.first.hex(),
        "second": decision.second.hex(),
        "verdict": decision.verdict,
        "at": decision.at,
    }
