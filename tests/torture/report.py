"""The table of a run, for people and for `docs/reliability.md`."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from torture.tally import Tally

COLUMNS = {
    "lost unnamed": ("lost", "lost without a word"),
    "wrong without a word": ("wrong", "wrong answer", "wrong without a word", "wrong answer without a word"),
    "hangs": ("hang",),
    "tracebacks": ("trace",),
    "refused or called damaged for no reason": ("unsound", "refused"),
    "not restored": ("not restored",),
}
"""Which problems each column counts; of one round, all of a column count as one."""

BEGIN, END = "<!-- the last run -->\n", "<!-- end of the last run -->\n"


def table(tallies: Mapping[str, Tally]) -> str:
    """Return a table in Markdown."""
    head = ["torture", "rounds", "faults", "facts checked", "minutes", *COLUMNS]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for kind, tally in tallies.items():
        counts = [sum(tally.broken[what] for what in whats) for whats in COLUMNS.values()]
        done = (tally.rounds, tally.faults, tally.checked, round(tally.seconds / 60))
        cells = [kind, *(f"{count:,}" for count in (*done, *counts))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(document: Path, tallies: Mapping[str, Tally], command: str, seed: int) -> None:
    """Put the table between the marks of a document."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    about = (
        f"`{command}`, seeds from {seed}, on {os.cpu_count()} cores of {_processor()}, {platform.system()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}:"
    )
    document.write_text(f"{before}{BEGIN}\n{about}\n\n{table(tallies)}\n\n{END}{after}", encoding="utf-8")


def _processor() -> str:
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(": ")[2] for line in facts if line.startswith("model name")), platform.machine()
    )
