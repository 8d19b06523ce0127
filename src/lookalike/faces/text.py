"""Words for people: names made safe to print, numbers made short."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from lookalike.install import install_line
from lookalike.records import Hit, Metadata
from lookalike.reports import AddReport

_EXTRA = re.compile(r"pip install 'lookalike\[(\w+)\]'")


def printable(name: str) -> str:
    """Show a name on one line without letting it move the cursor or reorder the line."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name
    )


def one_line(text: str) -> str:
    """Show a text whole, on one line."""
    return printable(" ".join(text.split()))


def counted(count: int, noun: str) -> str:
    """A number with its noun, such as "1 item" or "2,000 items"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_LEFT_OUT = {
    "hidden": "hidden",
    "defaults": "bins, snapshots or previews",
    "patterns": "by patterns",
    ".nomedia": "with .nomedia",
    "links": "further ways to what was found",
    "collections": "collections",
}


def named_counts(counts: Mapping[str, int]) -> str:
    """Reasons or kinds with how many there are, such as "12 videos, 6 sidecars" or "2 hidden"."""
    return ", ".join(
        f"{count:,} {_LEFT_OUT[what]}" if what in _LEFT_OUT else counted(count, what)
        for what, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    )


def tally(report: AddReport) -> str:
    """The line that an add ends with."""
    parts = ("added", "unchanged", "moved", "updated", "skipped")
    return f"found {report.found:,} = " + " + ".join(f"{getattr(report, part):,} {part}" for part in parts)


def facts(metadata: Metadata) -> str:
    """The facts of a photo that a person looks for first."""
    size = f"{metadata['width']}×{metadata['height']}" if "width" in metadata else ""
    return "  ".join(
        filter(None, (size, str(metadata.get("taken", ""))[:10], str(metadata.get("camera", ""))))
    )


def copy_note(hit: Hit) -> str:
    """What a hit is a copy of and how, such as "copy of 12: cropped, smaller"; empty for what is none."""
    if hit.copy_of is None:
        return ""
    return f"copy of {hit.copy_of}" + (f": {', '.join(hit.copy_how)}" if hit.copy_how else "")


def meaning(closer_than: float | None) -> str:
    """What a score means, such as "closer than 99.9 % of random pairs"; empty where it cannot be told."""
    return "" if closer_than is None else f"closer than {100 * closer_than:.4g} % of random pairs"


def megabytes(count: int) -> str:
    """Bytes in MB."""
    return f"{count / 1e6:,.1f} MB"


def sized(count: int) -> str:
    """Bytes in the unit that a person reads, such as "812 bytes", "40.2 kB" or "3.4 GB"."""
    if count < 1_000:
        return counted(count, "byte")
    unit, size = next((name, size) for name, size in _UNITS if count >= size)
    return f"{count / size:,.1f} {unit}"


def with_install_lines(reason: str) -> str:
    """Return a reason whose hint to install an extra works as it is printed."""
    return _EXTRA.sub(lambda match: install_line(match[1]), reason)


def extras_needed(reasons: Iterable[str]) -> dict[str, int]:
    """Return how many of the reasons name each extra."""
    return Counter(match[1] for reason in reasons if (match := _EXTRA.search(reason)))
