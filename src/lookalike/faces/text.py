"""Words for people: names made safe to print, numbers made short."""

from __future__ import annotations

from lookalike.records import Metadata
from lookalike.reports import AddReport


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


def meaning(closer_than: float | None) -> str:
    """What a score means, such as "closer than 99.9 % of random pairs"; empty where it cannot be told."""
    return "" if closer_than is None else f"closer than {100 * closer_than:.4g} % of random pairs"


def megabytes(count: int) -> str:
    """Bytes in MB."""
    return f"{count / 1e6:,.1f} MB"
